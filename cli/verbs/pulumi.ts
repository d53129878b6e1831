import { parseArgs } from "node:util";
import { execa } from "execa";
import { loadSettings } from "../../infra/settings/load.ts";
import { fileInput, projectRoot } from "../../infra/settings/sources.ts";
import { needOfficial, pluginsFor } from "../engine/plugins.ts";
import { engineEnvironment, pluginEnvironment } from "../engine/pulumi-cli.ts";

/** Commands that run the program or its plugins. */
const RUNS = ["up", "update", "preview", "pre", "refresh", "destroy", "down", "import", "watch"];

/** Runs the Pulumi CLI in the environment that `up` uses, and ends with its exit code. */
export async function passThrough(args: string[]): Promise<void> {
  Object.assign(process.env, await engineEnvironment());
  if (RUNS.includes(args[0] ?? "")) {
    const stack = stackOf(args);
    const settings = stack === undefined ? undefined : loadSettings(fileInput(stack));
    const plugins = settings === undefined ? (["random", "command"] as const) : pluginsFor(settings);
    const { env, standIns } = await pluginEnvironment(plugins);
    needOfficial(standIns, [], settings);
    Object.assign(process.env, env);
  }
  const { exitCode } = await execa("pulumi", args, {
    cwd: projectRoot,
    stdio: "inherit",
    reject: false,
  });
  process.exitCode = exitCode ?? 1;
}

/** The stack that the arguments of a command name. */
function stackOf(args: readonly string[]): string | undefined {
  const options = { stack: { type: "string", short: "s" } } as const;
  return parseArgs({ args: [...args], options, strict: false }).values.stack as string | undefined;
}
