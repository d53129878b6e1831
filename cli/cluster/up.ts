import type { ClusterApi } from "../../infra/kubernetes/api.ts";
import type { KubernetesSettings } from "../../infra/settings/load.ts";
import { apply } from "../engine/apply.ts";
import { needFitCluster, needSameCluster, needSameDatabase, reachedCluster } from "./preflight.ts";
import { needWellPods, settledPods } from "./services.ts";
import { Failure } from "../terminal/output.ts";
import { toldTroubles } from "./trouble-report.ts";
import { PodWatch } from "./pod-watch.ts";
import { areWell } from "../terminal/service-report.ts";
import { openStack, type Resource } from "../engine/stack.ts";
import { type Choose, emptySlots, type UpOptions } from "../verbs/up.ts";

/**
 * Brings the cluster to what the settings say, and ends with how every service does. Every check that can fail comes
 * before the first change.
 */
export async function upCluster(
  settings: KubernetesSettings,
  { stack: name, json }: UpOptions,
  choose: Choose = emptySlots,
): Promise<void> {
  const api = await reachedCluster(settings);
  await needFitCluster(api, settings);
  const open = await openStack(name);
  await needSameCluster(api, open.resources, settings);
  await needSameDatabase(api, settings);
  const choice = await choose(open, settings, api);
  if (choice === undefined) return;
  await choice.before?.();
  const watch = new PodWatch(api, name);
  const signal = AbortSignal.any([open.options.signal, watch.signal]);
  // What somebody has changed or removed by hand is found, and mended.
  const options = { ...open.options, signal, onEvent: watch.onEvent, refresh: true };
  const applied = await apply({ ...open, options }, settings, choice.slots, failedJobs(open.resources))
    .catch(async (error: unknown) => {
      throw await withTroubles(error, api, name);
    })
    .finally(() => watch.stop());
  const services = await settledPods(api, applied.resources);
  if (areWell(services)) await choice.after?.();
  applied.show({ json, services, more: choice.report });
  await needWellPods(services, name, api);
  if (!json) process.stdout.write(nextSteps(settings));
}

/** A failure of the engine, with what the cluster tells of its pods. */
async function withTroubles(error: unknown, api: ClusterApi, stack: string): Promise<unknown> {
  if (!(error instanceof Failure)) return error;
  const told = await toldTroubles(api, stack);
  return told === "" ? error : new Failure(`${told}\n${error.message}`);
}

/** Jobs whose failure is on record: one that has failed does not run again by itself. */
function failedJobs(resources: readonly Resource[]): string[] {
  return resources
    .filter(({ type, initErrors = [] }) => type === "kubernetes:batch/v1:Job" && initErrors.length > 0)
    .map(({ urn }) => urn);
}

function nextSteps({ variables, stack }: KubernetesSettings): string {
  const verb = (name: string) => `npm run ${name} -- --stack ${stack}`;
  const steps = [
    [verb("status"), "how each service does"],
    [verb("preview"), `what a change in Pulumi.${stack}.yaml or .env would do, and what was changed by hand`],
    [verb("down"), "removes the application; data and secrets stay"],
  ];
  const width = Math.max(...steps.map(([command]) => command!.length));
  return [
    `Rejourney answers at ${variables.PUBLIC_DASHBOARD_URL}`,
    "Next:",
    ...steps.map(([command, does]) => `  ${command!.padEnd(width)}  ${does}`),
    "",
  ].join("\n");
}
