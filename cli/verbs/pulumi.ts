import { execa } from "execa";
import { projectRoot } from "../../infra/settings/sources.ts";
import { engineEnvironment } from "../engine/pulumi-cli.ts";

/** Runs the Pulumi CLI in the environment that `up` uses, and ends with its exit code. */
export async function passThrough(args: string[]): Promise<void> {
  const { env } = await engineEnvironment();
  const { exitCode } = await execa("pulumi", args, {
    cwd: projectRoot,
    env,
    stdio: "inherit",
    reject: false,
  });
  process.exitCode = exitCode ?? 1;
}
