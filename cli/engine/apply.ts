import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import type { SecretName } from "../../infra/app/secrets.ts";
import { command } from "../../infra/settings/command.ts";
import { boundBy } from "../../infra/settings/generated.ts";
import type { Settings } from "../../infra/settings/load.ts";
import { inWords, pulumi } from "./pulumi-cli.ts";
import { log, print, printJson } from "../terminal/output.ts";
import { Progress, summary } from "./progress.ts";
import { writeBundle } from "../state/recovery-bundle.ts";
import { type ServiceReport, table } from "../terminal/service-report.ts";
import type { Slot } from "./secret-slots.ts";
import { exportedText, type OpenStack, outputsOf, type Resource, resourcesIn } from "./stack.ts";

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
 * Brings a stack to what its settings say by the engine, then writes a recovery bundle. `slots` take the value of their
 * source; `again` names resources to recreate.
 */
export async function apply(
  { stack, options }: OpenStack,
  settings: Settings,
  slots: readonly Slot[],
  again: readonly string[] = [],
): Promise<Applied> {
  const name = settings.stack;
  const urns = slots.map(({ urn }) => urn);
  // The run protects them again once they hold their value.
  if (urns.length > 0) await pulumi(["state", "unprotect", ...urns, "--yes", "--stack", name]);
  log("Applying …");
  const progress = new Progress(log);
  const onEvent = (event: EngineEvent) => {
    progress.onEvent(event);
    options.onEvent?.(event);
  };
  const run = stack.up({ ...options, onEvent, replace: [...urns, ...again] });
  await inWords(run, () => progress.failed);
  const state = await exportedText(name);
  const after = resourcesIn(state);
  const outputs = outputsOf(after);
  const recovery = await writeBundle(name, state);
  const differing = (outputs.secretsThatDifferFromTheirSource ?? []) as SecretName[];
  for (const secret of differing) log(kept(secret, settings));
  return {
    changed: progress.changes.map(({ resource }) => resource),
    resources: after,
    show({ json, services, more }) {
      if (!json) print(`${summary(progress.counts, true)}\n${table(services)}`);
      else {
        const all = { ...more, services, recovery, outputs };
        printJson({ stack: name, summary: progress.counts, ...all });
      }
    },
  };
}

function kept(secret: SecretName, settings: Settings): string {
  const bound = boundBy(secret, settings);
  const more =
    bound === undefined
      ? `${command(settings.stack, "secrets sync")} applies the new one`
      : `It cannot change alone: ${bound}. ${command(settings.stack, `secrets rotate ${secret}`)} replaces it together with what depends on it`;
  return `${secret}: its source has a different value; the value in use was kept. ${more}.`;
}
