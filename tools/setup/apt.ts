import { execa } from "execa";
import { SetupError } from "./error.ts";
import type { Log } from "./log.ts";

/** Installs packages of the distribution. Throws with the end of what apt-get says. */
export async function aptInstall(packages: readonly string[]): Promise<void> {
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [
    ["update", "-qq"],
    ["install", "-y", "-qq", "--no-install-recommends", ...packages],
  ]) {
    const { exitCode, stderr } = await execa("apt-get", args, { env, stdin: "ignore", reject: false });
    if (exitCode !== 0)
      throw new SetupError(`apt-get ${args[0]}: ${stderr.split("\n").slice(-5).join("\n")}`);
  }
}

/** Makes sure of a program that a package of the distribution has. Throws with what to type where this may not. */
export async function needProgram(program: string, packageName: string, log: Log): Promise<void> {
  if (await isOnPath(program)) return;
  if (process.getuid?.() !== 0 || !(await isOnPath("apt-get")))
    throw new SetupError(`${program} is missing. Fix: sudo apt-get install ${packageName}`);
  log(`Installing ${packageName} …`);
  await aptInstall([packageName]);
}

export async function isOnPath(program: string): Promise<boolean> {
  const { exitCode } = await execa("sh", ["-c", 'command -v "$0"', program], { reject: false });
  return exitCode === 0;
}
