import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import type { Settings } from "../infra/settings/load.ts";
import { inWords, pulumi } from "./engine.ts";
import { log } from "./output.ts";
import { Progress, summary } from "./progress.ts";
import { writeBundle } from "./recovery.ts";
import { type ServiceReport, table } from "./services.ts";
import { slotsToFill } from "./slots.ts";
import { exportedText, type OpenStack, type Resource, resourcesIn } from "./stack.ts";

/** What an `up` has done. */
export interface Applied {
  /** Names of the resources that it has changed. */
  changed: readonly string[];
  /** The resources of the state since. */
  resources: readonly Resource[];
  /** Prints it, for people or as JSON; `more` goes into the JSON alone. */
  show(result: { json: boolean; services: readonly ServiceReport[]; more?: object }): void;
}

/**
 * Brings a stack to what its settings say by the engine, then writes a recovery bundle. `again` names resources to make
 * anew.
 */
export async function apply(
  { stack, options, resources }: OpenStack,
  settings: Settings,
  again: readonly string[] = [],
): Promise<Applied> {
  const name = settings.stack;
  const slots = await slotsToFill(resources, settings);
  // Nothing depends on what such a slot holds; the run protects it again once it holds a value.
  for (const { urn } of slots) await pulumi(["state", "unprotect", urn, "--yes", "--stack", name]);
  log("Applying …");
  const progress = new Progress(log);
  const onEvent = (event: EngineEvent) => {
    progress.onEvent(event);
    options.onEvent?.(event);
  };
  const replace = [...slots.map(({ urn }) => urn), ...again];
  const run = stack.up({ ...options, onEvent, replace });
  const { outputs, summary: result } = await inWords(run, () => progress.failed);
  const state = await exportedText(name);
  const recovery = await writeBundle(name, state);
  const differing = (outputs.secretsThatDifferFromTheirSource?.value ?? []) as string[];
  for (const secret of differing)
    log(`${secret}: its source holds another value than the one in use, which was kept.`);
  const changes = result.resourceChanges ?? {};
  return {
    changed: progress.changes.map(({ resource }) => resource),
    resources: resourcesIn(state),
    show({ json, services, more }) {
      if (!json) process.stdout.write(`${summary(changes, true)}\n${table(services)}`);
      else {
        const values = Object.entries(outputs).map(([key, { value }]) => [key, value as unknown]);
        const all = { ...more, services, recovery, outputs: Object.fromEntries(values) as object };
        process.stdout.write(`${JSON.stringify({ stack: name, summary: changes, ...all })}\n`);
      }
    },
  };
}
