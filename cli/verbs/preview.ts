import type { KubernetesSettings } from "../../infra/settings/load.ts";
import { lostVariables } from "../engine/lost-variables.ts";
import { previewed } from "../engine/preview.ts";
import type { Options } from "../terminal/options.ts";
import { Failure, log, print, printJson } from "../terminal/output.ts";
import { shown, summary } from "../engine/progress.ts";
import { slotsToFill } from "../engine/secret-slots.ts";
import { type OpenStack, openStack } from "../engine/stack.ts";
import { checkedSettings } from "../terminal/settings.ts";

/** Shows what `up` would change; changes nothing. */
export async function preview({ stack: name, json }: Options): Promise<void> {
  const settings = checkedSettings(name);
  const open = await openStack(name, settings);
  const refresh = settings.target === "kubernetes" && (await answers(settings, open));
  const { changes, counts } = await previewed(open, refresh);
  const slots = await slotsToFill(open.resources, settings);
  const lost = await lostVariables(open.resources, settings);
  if (lost !== undefined) log(`Warning: up stops here. ${lost}`);
  if (json) {
    printJson({ stack: name, summary: counts, changes, filled: slots.map(({ secret }) => secret) });
    return;
  }
  for (const change of changes) print(`${shown(change)}\n`);
  for (const { secret, before } of slots)
    print(`± ${secret}, which was ${before}, takes the value of its source\n`);
  print(`${summary(counts, false)}\n`);
}

/**
 * Whether the cluster can tell what somebody has changed by hand. Where it does not answer, the state alone is compared.
 * Throws Failure when it is another cluster.
 */
async function answers(settings: KubernetesSettings, { resources }: OpenStack): Promise<boolean> {
  const { reachedCluster } = await import("../cluster/connection.ts");
  const { needSameCluster } = await import("../cluster/existing-data.ts");
  const api = await reachedCluster(settings).catch((error: unknown) => {
    if (!(error instanceof Failure)) throw error;
    log(`Nothing was compared with the cluster. ${error.message}`);
    return undefined;
  });
  if (api !== undefined) await needSameCluster(api, resources, settings);
  return api !== undefined;
}
