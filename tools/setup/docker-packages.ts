import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parse } from "dotenv";
import { SetupError } from "./error.ts";
import { aptInstall, needProgram } from "./apt.ts";
import type { Log } from "./log.ts";

const OFFICIAL = [
  "docker-ce",
  "docker-ce-cli",
  "containerd.io",
  "docker-buildx-plugin",
  "docker-compose-plugin",
];
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
  const { ID: id, VERSION_CODENAME: suite } = parse(readFileSync("/etc/os-release", "utf8"));
  const repository = `https://download.docker.com/linux/${id}`;
  const answer = await fetch(`${repository}/gpg`, { signal: AbortSignal.timeout(5000) }).catch(
    () => undefined,
  );
  if (!answer?.ok || suite === undefined) return false;
  const key = "/etc/apt/keyrings/docker.asc";
  mkdirSync(dirname(key), { recursive: true });
  writeFileSync(key, await answer.text(), { mode: 0o644 });
  const list = "/etc/apt/sources.list.d/docker.list";
  writeFileSync(list, `deb [signed-by=${key}] ${repository} ${suite} stable\n`);
  try {
    await aptInstall([...OFFICIAL, "ca-certificates"]);
    return true;
  } catch (error) {
    log(
      `The packages of Docker cannot be installed here (${(error as Error).message}); using those of the distribution.`,
    );
    rmSync(list);
    return false;
  }
}
