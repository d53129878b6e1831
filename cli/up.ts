import { loadSettings, type Settings } from "../infra/settings/load.ts";
import { fileInput } from "../infra/settings/sources.ts";
import type { Options } from "./main.ts";
import { log } from "./output.ts";

export interface UpOptions extends Options {
  yes: boolean;
}

/** Brings a stack to what its settings say. */
export async function up(options: UpOptions): Promise<void> {
  const settings = checkedSettings(options.stack);
  await (settings.target === "docker"
    ? (await import("./up-single-node.ts")).upSingleNode(settings, options)
    : (await import("./up-cluster.ts")).upCluster(settings, options));
}

/** The settings of a stack, with its warnings told. Throws SettingsError. */
export function checkedSettings(stack: string): Settings {
  const settings = loadSettings(fileInput(stack));
  for (const warning of settings.warnings) log(`Warning: ${warning}`);
  return settings;
}
