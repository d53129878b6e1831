import { existsSync, renameSync, rmSync } from "node:fs";
import { symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { coerce, gte } from "semver";
import { SetupError } from "./error.ts";
import { aptInstall } from "./apt.ts";
import { cacheDir } from "./cache.ts";
import type { Log } from "./log.ts";

/** The oldest Go that fetches a newer toolchain by itself. */
const OLDEST_GO = "1.21.0";
/** What is fetched where there is none. */
const GO_VERSION = "1.26.0";

/** The Go command to build with. Debian's own is too old, but it can fetch a newer one as a module. */
export async function ensureGo(log: Log): Promise<string> {
  const fetched = join(cacheDir, `go-${GO_VERSION}`, "bin", "go");
  if (existsSync(fetched)) return fetched;
  const found = await execa("go", ["env", "GOVERSION"], { cwd: "/", reject: false });
  const version = coerce(found.stdout);
  if (version !== null && gte(version, OLDEST_GO)) return "go";
  const problem = version === null ? "Go is not installed" : `${found.stdout} is too old`;
  const fix = `Fix: install Go ${OLDEST_GO} or newer (go.dev/dl), then retry.`;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get"))
    throw new SetupError(`${problem}; it is required to build what cannot be downloaded here. ${fix}`);
  log(`${problem}; downloading Go ${GO_VERSION} …`);
  try {
    await aptInstall(["golang-go", "ca-certificates"]);
    await fetchToolchain(fetched);
  } catch (error) {
    throw new SetupError(`Go could not be installed: ${(error as Error).message}\n${fix}`);
  }
  return fetched;
}

// A toolchain is published as a module whose files are not executable.
async function fetchToolchain(target: string): Promise<void> {
  const arch = process.arch === "arm64" ? "arm64" : "amd64";
  const module = `golang.org/toolchain@v0.0.1-go${GO_VERSION}.linux-${arch}`;
  const { stdout } = await execa("/usr/bin/go", ["mod", "download", "-json", module], {
    cwd: tmpdir(),
    env: { GOFLAGS: "-modcacherw" },
  });
  const { Dir: folder } = JSON.parse(stdout) as { Dir: string };
  for (const programs of ["bin", join("pkg", "tool")])
    await execa("chmod", ["-R", "+x", join(folder, programs)]);
  const link = dirname(dirname(target));
  const partial = `${link}.${process.pid}`;
  rmSync(partial, { force: true });
  await symlink(folder, partial);
  renameSync(partial, link);
}
