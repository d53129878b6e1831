import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { SetupError } from "./error.ts";
import type { Log } from "./log.ts";
import { ensureCli, officialCli } from "./pulumi-cli.ts";
import { onPath } from "./path.ts";
import { ensurePlugin, type Plugin } from "./plugins.ts";

/** What a stand-in can serve: the language host of Node, and two plugins. */
const STAND_INS = ["nodejs", "random", "command"] as const;
export type StandIn = (typeof STAND_INS)[number];

export interface Engine {
  /** Path of the Pulumi CLI. */
  pulumi: string;
  /** What stand-ins serve, where no download server is within reach, or where they are asked for. */
  standIns: readonly StandIn[];
}

/** The folder of a stand-in; on PATH, the engine finds it by its name. */
export function standInFolder(name: StandIn): string {
  return join(import.meta.dirname, "..", "standins", "bin", name);
}

/** True where stand-ins are to serve even if the official plugins are available: REJOURNEY_STAND_INS is `true`. */
function areAskedFor(): boolean {
  const { REJOURNEY_STAND_INS: asked = "" } = process.env;
  if (!["", "true", "false"].includes(asked))
    throw new SetupError(
      "REJOURNEY_STAND_INS must be true or false.\n  Fix: correct or unset it, then retry",
    );
  return asked === "true";
}

/**
 * The CLI, the language host and the plugins that a run needs; what is missing is downloaded, or else built. Throws
 * SetupError when a download fails, and when something is neither to be had nor has a stand-in.
 */
export async function ensureEngine(plugins: readonly Plugin[], log: Log): Promise<Engine> {
  const asked = areAskedFor();
  const found = await ensureCli(log);
  // The CLI may have been built when no server was within reach.
  const pulumi = asked || hasHost(found) ? found : ((await officialCli(log)) ?? found);
  const standIns: StandIn[] = !asked && hasHost(pulumi) ? [] : ["nodejs"];
  for (const plugin of plugins)
    if (asked && isStandIn(plugin)) standIns.push(plugin);
    else if (!(await ensurePlugin(pulumi, plugin, log))) standIns.push(plugin as StandIn);
  return { pulumi, standIns };
}

function isStandIn(name: string): name is StandIn {
  return (STAND_INS as readonly string[]).includes(name);
}

/** The official release has the language host beside the CLI. */
function hasHost(pulumi: string): boolean {
  const name = "pulumi-language-nodejs";
  const folders = [pulumi, realpathSync(pulumi)].map((path) => dirname(path));
  return folders.some((folder) => existsSync(join(folder, name))) || onPath(name) !== undefined;
}
