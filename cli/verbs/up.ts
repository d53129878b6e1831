import type { ClusterApi } from "../../infra/kubernetes/api.ts";
import { loadSettings, type Settings } from "../../infra/settings/load.ts";
import { fileInput } from "../../infra/settings/sources.ts";
import type { Options } from "../main.ts";
import { log } from "../terminal/output.ts";
import { needNoOpenRotation } from "../secrets/rotation-record.ts";
import { slotsToFill, type Slot } from "../engine/secret-slots.ts";
import type { OpenStack } from "../engine/stack.ts";

export interface UpOptions extends Options {
  yes: boolean;
}

/** Which slots a run gives the value of their source, what it does besides, and what its result as JSON says of that. */
export interface Choice {
  slots: readonly Slot[];
  /** Read when all is done. */
  report?: object;
  /** Comes after every check, right before the engine's run. */
  before?: () => Promise<void>;
  /** Comes once every service is well. */
  after?: () => Promise<void>;
}

/** Makes the choice before the first change; undefined where there is nothing to do. `api` is that of a cluster. */
export type Choose = (open: OpenStack, settings: Settings, api?: ClusterApi) => Promise<Choice | undefined>;

/** The slots that nobody has filled so far. */
export const emptySlots: Choose = async ({ resources }, settings) => {
  needNoOpenRotation(resources, settings.stack);
  return { slots: await slotsToFill(resources, settings) };
};

/** Brings a stack to what its settings say. */
export async function up(options: UpOptions, choose?: Choose): Promise<void> {
  const settings = checkedSettings(options.stack);
  await (settings.target === "docker"
    ? (await import("../single-node/up.ts")).upSingleNode(settings, options, choose)
    : (await import("../cluster/up.ts")).upCluster(settings, options, choose));
}

/** The settings of a stack, with its warnings told. Throws SettingsError. */
export function checkedSettings(stack: string): Settings {
  const settings = loadSettings(fileInput(stack));
  for (const warning of settings.warnings) log(`Warning: ${warning}`);
  return settings;
}
