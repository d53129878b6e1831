// Waits until objects do what they are there for.
import { setTimeout as sleep } from "node:timers/promises";
import type { CoreV1Event, V1ContainerStatus, V1Pod } from "@kubernetes/client-node";
import type { KubernetesObject } from "../../../infra/cluster/api.ts";
import { ApiError, UnreachableError } from "../../../infra/cluster/errors.ts";
import type { Objects } from "./objects.ts";
import { unready } from "./ready.ts";

/** How long the official plugin waits where a resource says nothing else, in seconds. */
const LIMIT = 600;
const POLL_MS = 500;

export interface Wait {
  /** Seconds; 0 for the default. */
  seconds: number;
  signal: AbortSignal;
  /** Is told each change of what is being waited for. */
  say: (line: string) => void;
}

/** The object is there, and not ready. The engine keeps it on record, and tries again the next time. */
export class NotReady extends Error {
  readonly live: KubernetesObject;
  readonly reasons: readonly string[];

  constructor(live: KubernetesObject, reasons: readonly string[]) {
    super(reasons.join("; "));
    this.live = live;
    this.reasons = reasons;
  }
}

/** Seconds that a wait may take. */
export function limitOf({ metadata }: KubernetesObject, seconds: number): number {
  return seconds || Number(metadata.annotations?.["pulumi.com/timeoutSeconds"]) || LIMIT;
}

/** The object once it is ready. Throws NotReady with the reasons. */
export async function untilReady(
  objects: Objects,
  applied: KubernetesObject,
  { seconds, signal, say }: Wait,
): Promise<KubernetesObject> {
  // A condition of the API server is told to the second.
  const since = Math.floor(Date.now() / 1000) * 1000;
  const end = since + 1000 * limitOf(applied, seconds);
  let live = applied;
  for (let said = ""; ; await sleep(POLL_MS)) {
    const missing = unready(live, { since, now: Date.now() });
    if (missing === undefined) return live;
    if (missing.why !== said) say((said = missing.why));
    const late = Date.now() > end && "is not ready in time";
    const ended = (missing.final && "has failed") || (signal.aborted && "was not waited for") || late;
    if (ended) throw await notReady(objects, live, `${ended}: ${missing.why}`);
    live = await again(objects, live);
  }
}

/** What keeps an object from being ready at this moment, as an error; undefined when it is. */
export async function unreadiness(objects: Objects, live: KubernetesObject): Promise<NotReady | undefined> {
  const now = Date.now();
  const missing = unready(live, { since: now, now });
  return missing && notReady(objects, live, `is not ready: ${missing.why}`);
}

async function again(objects: Objects, live: KubernetesObject): Promise<KubernetesObject> {
  try {
    const now = await objects.find(live);
    if (now !== undefined) return now;
  } catch (error) {
    // An API server that is started again comes back.
    if (error instanceof UnreachableError || (error instanceof ApiError && error.code >= 500)) return live;
    throw error;
  }
  throw new ApiError(404, `${live.kind} ${live.metadata.name} was deleted while it was waited for`);
}

async function notReady(objects: Objects, live: KubernetesObject, what: string): Promise<NotReady> {
  const reasons = await reasonsOf(objects, live).catch(() => []);
  return new NotReady(live, [`${live.kind} ${live.metadata.name} ${what}`, ...reasons]);
}

/** Why a workload is not ready: how its pods do, then the last warning of each sort. */
async function reasonsOf({ api }: Objects, live: KubernetesObject): Promise<string[]> {
  const { selector } = (live.spec ?? {}) as { selector?: { matchLabels?: Record<string, string> } };
  const labels = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  if (labels.length === 0) return [];
  const space = `/api/v1/namespaces/${live.metadata.namespace ?? api.namespace}`;
  const pods = await api.list<V1Pod>(`${space}/pods?labelSelector=${encodeURIComponent(labels.join(","))}`);
  const warnings = await api.list<CoreV1Event>(`${space}/events?fieldSelector=type%3DWarning`);
  const about = new Set([
    live.metadata.uid,
    ...pods.flatMap(({ metadata }) => [
      metadata?.uid,
      ...(metadata?.ownerReferences ?? []).map(({ uid }) => uid),
    ]),
  ]);
  const events = warnings
    .filter(({ involvedObject }) => about.has(involvedObject.uid))
    .map(({ involvedObject: { kind }, reason, message }) => [`${kind} ${reason}`, message] as const);
  const last = [...new Map(events)].map(([what, message]) => `${what}: ${message}`);
  return [...new Set(pods.flatMap(podTroubles)), ...last].slice(0, 12);
}

function podTroubles({ metadata, status }: V1Pod): string[] {
  const unscheduled = status?.conditions?.find(
    ({ type, status }) => type === "PodScheduled" && status === "False",
  );
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return [
    ...(unscheduled === undefined ? [] : [`${unscheduled.reason}: ${unscheduled.message}`]),
    ...containers.flatMap(containerTroubles),
  ].map((trouble) => `pod ${metadata?.name}: ${trouble}`);
}

function containerTroubles({ name, state, lastState, restartCount }: V1ContainerStatus): string[] {
  const { reason, message } = state?.waiting ?? {};
  const ended = state?.terminated ?? lastState?.terminated;
  return [
    ...(reason === undefined || ["ContainerCreating", "PodInitializing"].includes(reason)
      ? []
      : [`container ${name}: ${reason}${message === undefined ? "" : `: ${message}`}`]),
    ...(ended === undefined || ended.exitCode === 0
      ? []
      : [
          `container ${name} ended with ${ended.exitCode} (${ended.reason}), started again ${restartCount} times`,
        ]),
  ];
}
