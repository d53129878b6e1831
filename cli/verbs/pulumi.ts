import { parseArgs } from "node:util";
import { execa } from "execa";
import { loadSettings } from "../../infra/settings/load.ts";
import { fileInput, projectRoot } from "../../infra/settings/sources.ts";
import { needOfficial, pluginsFor, pluginsOf } from "../engine/plugins.ts";
import { engineEnvironment, pluginEnvironment, pulumi } from "../engine/pulumi-cli.ts";
import { resourcesIn } from "../engine/stack.ts";
import { Failure } from "../terminal/output.ts";

/** Commands that run the program or its plugins. */
const RUNS = ["up", "update", "preview", "pre", "refresh", "destroy", "down", "dn", "import", "watch"];

/** Runs the Pulumi CLI in the environment that `up` uses, and ends with its exit code. */
export async function passThrough(args: string[]): Promise<void> {
  Object.assign(process.env, await engineEnvironment());
  if (args.some((arg) => RUNS.includes(arg))) await needPlugins(args);
  const { exitCode } = await execa("pulumi", args, {
    cwd: projectRoot,
    stdio: "inherit",
    reject: false,
  });
  process.exitCode = exitCode ?? 1;
}

/** Makes sure of the plugins that the stack of a command needs. Throws Failure when it names none. */
async function needPlugins(args: readonly string[]): Promise<void> {
  const { env: { PULUMI_STACK } = {} } = process;
  const options = { stack: { type: "string", short: "s", default: PULUMI_STACK } } as const;
  const { stack } = parseArgs({ args: [...args], options, strict: false }).values;
  if (typeof stack !== "string" || stack === "")
    throw new Failure("This command has to name its stack. Fix: add --stack <name>");
  const settings = loadSettings(fileInput(stack.split("/").at(-1)!));
  const exported = await pulumi(["stack", "export", "--stack", stack]).catch(() => "{}");
  const resources = resourcesIn(exported);
  const plugins = new Set([...pluginsOf(resources), ...pluginsFor(settings)]);
  const { env, standIns } = await pluginEnvironment([...plugins]);
  needOfficial(standIns, resources, settings);
  Object.assign(process.env, env);
}
