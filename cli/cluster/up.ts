import type { ClusterApi } from "../../infra/cluster/api.ts";
import { command } from "../../infra/settings/command.ts";
import type { KubernetesSettings } from "../../infra/settings/load.ts";
import { type Applied, apply } from "../engine/apply.ts";
import type { Deployment } from "../engine/run-plan.ts";
import type { Slot } from "../engine/secret-slots.ts";
import { openStack, type OpenStack, type Resource } from "../engine/stack.ts";
import type { Options } from "../terminal/options.ts";
import { Failure, print } from "../terminal/output.ts";
import { allowed, reachedCluster } from "./connection.ts";
import { needNoOthers, needSameCluster, needSameDatabase, needSameSecrets } from "./existing-data.ts";
import { PodWatch } from "./pod-watch.ts";
import { needFitCluster } from "./preflight.ts";
import { needWellPods, settledPods } from "./services.ts";
import { toldTroubles } from "./trouble-report.ts";

/** The deployment on a cluster, once every check has passed. */
export async function prepareCluster(
  settings: KubernetesSettings,
  { stack, json }: Options,
): Promise<Deployment> {
  const api = await reachedCluster(settings);
  await allowed(needFitCluster(api, settings));
  const open = await openStack(stack, settings);
  await allowed(needSameCluster(api, open.resources, settings));
  await allowed(needNoOthers(api, open.resources, settings));
  await allowed(needSameSecrets(api, open.resources, settings));
  await allowed(needSameDatabase(api, settings));
  return {
    settings,
    open,
    api,
    ready: () => Promise.resolve(),
    apply: async (slots) => {
      const applied = await applyWatched(open, settings, api, slots);
      return { applied, services: await settledPods(api, applied.resources) };
    },
    settle: async ({ applied, services }, report) => {
      applied.show({ json, services, more: report });
      await needWellPods(services, stack, api);
      if (!json) print(nextSteps(settings));
    },
  };
}

/** A run of the engine that ends early where waiting for a pod has no more sense. */
async function applyWatched(
  open: OpenStack,
  settings: KubernetesSettings,
  api: ClusterApi,
  slots: readonly Slot[],
): Promise<Applied> {
  const watch = new PodWatch(api, settings.stack);
  const signal = AbortSignal.any([open.options.signal, watch.signal]);
  // With a refresh, so that what somebody has changed or removed by hand is found and set back. Not by the program with
  // slots to fill: it would protect them again before the run replaces them.
  const refresh = { refresh: true, runProgram: open.isOutdated && slots.length === 0 };
  const options = { ...open.options, signal, onEvent: watch.onEvent, ...refresh };
  try {
    return await apply({ ...open, options }, settings, slots, failedJobs(open.resources));
  } catch (error) {
    throw await withTroubles(error, api, settings.stack);
  } finally {
    await watch.stop();
  }
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
  const verb = (name: string) => command(stack, name);
  const steps = [
    [verb("status"), "shows the health of each service"],
    [
      verb("preview"),
      `shows what a change in Pulumi.${stack}.yaml or .env would do, and what was changed by hand`,
    ],
    [verb("down"), "removes the application; data and secrets stay"],
  ];
  const width = Math.max(...steps.map(([command]) => command!.length));
  return [
    `Rejourney runs at ${variables.PUBLIC_DASHBOARD_URL}`,
    "Next:",
    ...steps.map(([command, does]) => `  ${command!.padEnd(width)}  ${does}`),
    "",
  ].join("\n");
}
