import { existsSync } from "node:fs";
import { readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { SetupError } from "../setup/error.ts";
import { cacheDir } from "../setup/cache.ts";
import { needProgram } from "../setup/apt.ts";
import type { Log } from "../setup/log.ts";
import { withScratch } from "../setup/scratch.ts";

/** What mmdebstrap makes the base of every image with: Debian's smallest system and the packages that one of them uses. */
export const BASE = [
  "--variant=minbase",
  "--include=ca-certificates,libstdc++6,zlib1g,zstd,redis-server,busybox-static",
  ...["doc", "man", "locale", "info"].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
  '--customize-hook=ln -s busybox "$1/usr/bin/wget"',
];

/**
 * The base's root file system as a tar file, made of the packages of this machine's own release; kept, since another
 * one would differ and every image with it. Throws where the machine has no packages of Debian's kind.
 */
export async function baseFile(tag: string, log: Log): Promise<string> {
  const file = join(cacheDir, `base-${tag}.tar`);
  if (existsSync(file)) return file;
  await needProgram("mmdebstrap", "mmdebstrap", log);
  const { suite, sources } = await aptSources();
  log("Unpacking Debian's packages for the images; this takes about 40 s, once …");
  await withScratch(async (folder) => {
    const partial = join(folder, "base.tar");
    const command = ["mmdebstrap", "--quiet", ...BASE, suite, partial, ...sources];
    // Root's would mount into this machine: in a mount namespace of its own, a kill leaves no mount behind.
    const [program, ...args] = process.getuid?.() === 0 ? ["unshare", "--mount", ...command] : command;
    await execa(program!, args, { stdin: "ignore", env: { TMPDIR: folder } });
    await rename(partial, file);
  });
  return file;
}

/** The machine's sources of its own release, as mmdebstrap takes them: files of the new format, lines of the old one. */
async function aptSources(): Promise<{ suite: string; sources: string[] }> {
  const release = await readFile("/etc/os-release", "utf8").catch(() => "");
  const suite = /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(release)?.[1];
  const folder = "/etc/apt/sources.list.d";
  const files = (await readdir(folder).catch(() => [])).map((name) => join(folder, name));
  const sources: string[] = [];
  for (const file of ["/etc/apt/sources.list", ...files]) {
    const text = await readFile(file, "utf8").catch(() => "");
    // Those of others have no component `main`.
    if (file.endsWith(".sources")) {
      const own = new RegExp(`^Suites:.*[ \\t]${suite}([ \\t]|$)`, "m").test(text);
      if (own && /^Components:.*\bmain\b/m.test(text)) sources.push(file);
    } else if (file.endsWith(".list")) {
      const own = new RegExp(`^deb\\s.*\\s${suite}(-updates|-security)?\\s.*\\bmain\\b`);
      sources.push(...text.split("\n").filter((line) => own.test(line)));
    }
  }
  if (suite === undefined || sources.length === 0)
    throw new SetupError(
      "The images are built from Debian or Ubuntu packages, but /etc/apt has no source for the release of this machine.",
    );
  return { suite, sources };
}
