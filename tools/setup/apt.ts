import { execa } from "execa";

/** Installs packages of the distribution. Throws with the end of what apt-get says. */
export async function aptInstall(packages: readonly string[]): Promise<void> {
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [
    ["update", "-qq"],
    ["install", "-y", "-qq", "--no-install-recommends", ...packages],
  ]) {
    const { exitCode, stderr } = await execa("apt-get", args, { env, stdin: "ignore", reject: false });
    if (exitCode !== 0) throw new Error(`apt-get ${args[0]}: ${stderr.split("\n").slice(-5).join("\n")}`);
  }
}
