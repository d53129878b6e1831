import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "dotenv";
import { execa } from "execa";
import { SetupError } from "./error.ts";
import { aptInstall, needProgram } from "./apt.ts";
import { answer, isWithinReach, retried } from "./download.ts";
import type { Log } from "./log.ts";
import { withScratch } from "./scratch.ts";

const OFFICIAL = [
  "docker-ce",
  "docker-ce-cli",
  "containerd.io",
  "docker-buildx-plugin",
  "docker-compose-plugin",
];
/** Docker's release key for Debian and Ubuntu (docs.docker.com/engine/install/debian). */
const DOCKER_KEY = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88";
const OWN_LIST = "/etc/apt/sources.list.d/rejourney-docker.list";
const DISTRIBUTION = ["docker.io", "iptables"];

/**
 * Installs Docker Engine from Docker's own repository for Debian and Ubuntu, or from the distribution's packages where
 * that one cannot be reached. Throws with what fixes it where this may not, or somebody says no.
 */
export async function installDocker(
  log: Log,
  confirm: (question: string) => Promise<boolean>,
): Promise<void> {
  const problem = "Docker Engine is not installed";
  const fix = "Fix: install it (docs.docker.com/engine/install), then retry";
  if (process.getuid?.() !== 0) throw new SetupError(`${problem}, and this user cannot install it. ${fix}`);
  if (!existsSync("/usr/bin/apt-get"))
    throw new SetupError(`${problem}, and this is neither Debian nor Ubuntu. ${fix}`);
  if (!(await confirm(`${problem}. Install it with apt-get?`))) throw new SetupError(`${problem}. ${fix}`);
  log("Installing Docker Engine; this takes about a minute …");
  try {
    if (!(await installOfficial(log))) await aptInstall([...DISTRIBUTION, "ca-certificates"]);
    await needProgram("docker", "docker-cli", log); // a package of its own in newer releases
  } catch (error) {
    throw new SetupError(`Docker Engine could not be installed: ${(error as Error).message}\n${fix}`);
  }
}

/** As docs.docker.com/engine/install/debian has it. False where the repository cannot be reached or does not fit. */
async function installOfficial(log: Log): Promise<boolean> {
  const own = hasDockerSource("/etc/apt") ? [] : await addRepository(log);
  if (own === undefined) return false;
  try {
    await aptInstall([...OFFICIAL, "ca-certificates"]);
    return true;
  } catch (error) {
    log(
      `The packages of Docker cannot be installed here (${(error as Error).message}); using those of the distribution.`,
    );
    for (const path of own) rmSync(path);
    return false;
  }
}

/** Sets up Docker's repository: the files that this has written. Undefined where it cannot be reached or does not fit. */
async function addRepository(log: Log): Promise<string[] | undefined> {
  const { ID: id, VERSION_CODENAME: suite } = parse(readFileSync("/etc/os-release", "utf8"));
  const repository = `https://download.docker.com/linux/${id}`;
  const url = `${repository}/gpg`;
  if (suite === undefined || !["debian", "ubuntu"].includes(id!) || !(await isWithinReach(url)))
    return undefined;
  const text = await retried("Downloading Docker's key", async () => (await answer(url)).text(), log);
  await needProgram("gpg", "gnupg", log);
  const key = "/etc/apt/keyrings/rejourney-docker.gpg";
  mkdirSync(dirname(key), { recursive: true });
  writeFileSync(key, await keyOf(text, DOCKER_KEY), { mode: 0o644 });
  writeFileSync(OWN_LIST, `deb [signed-by=${key}] ${repository} ${suite} stable\n`);
  return [OWN_LIST, key];
}

/** Whether somebody has set up Docker's own repository below `folder`, which is `/etc/apt`. */
export function hasDockerSource(folder: string): boolean {
  const parts = join(folder, "sources.list.d");
  const files = existsSync(parts) ? readdirSync(parts).map((name) => join(parts, name)) : [];
  return [join(folder, "sources.list"), ...files.filter((path) => /\.(list|sources)$/.test(path))]
    .filter((path) => path !== OWN_LIST && existsSync(path))
    .some((path) =>
      entriesIn(readFileSync(path, "utf8")).some((entry) => entry.includes("download.docker.com")),
    );
}

/** The sources of packages in a file of either format of sources.list(5), without those that are off. */
function entriesIn(text: string): string[] {
  const lines = text.replaceAll(/^[ \t]*#.*\n?/gm, "");
  const stanzas = lines.split(/\n\s*\n/).filter((stanza) => /^Types:.*\bdeb(\s|$)/im.test(stanza));
  return [
    ...lines.split("\n").filter((line) => /^\s*deb\s/.test(line)),
    ...stanzas.filter((stanza) => !/^Enabled:\s*(no|false|0|off|without|disable)\s*$/im.test(stanza)),
  ];
}

/**
 * The key with this fingerprint out of a text, as apt takes it, and nothing else of the text. Throws SetupError when the
 * text does not have it.
 */
export async function keyOf(text: string, fingerprint: string): Promise<Buffer> {
  return withScratch(async (home) => {
    const gpg = (args: readonly string[], input = "") =>
      execa("gpg", ["--batch", "--homedir", home, ...args], {
        input,
        reject: false,
        encoding: "buffer",
        stripFinalNewline: false,
      });
    const { stderr } = await gpg(["--import"], text);
    const { stdout } = await gpg(["--export", fingerprint]);
    if (stdout.length > 0) return Buffer.from(stdout);
    const reason = Buffer.from(stderr).toString().trim().split("\n").at(-1);
    throw new SetupError(
      `The key of Docker's repository does not have the fingerprint ${fingerprint}, so it is not used (${reason})`,
    );
  });
}
