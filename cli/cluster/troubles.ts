import type {
  CoreV1Event,
  V1ContainerStatus,
  V1Deployment,
  V1Job,
  V1Pod,
  V1ReplicaSet,
  V1StatefulSet,
} from "@kubernetes/client-node";
import type { ClusterApi } from "../../infra/cluster/api.ts";
import { NAMESPACE } from "../../infra/manifest.ts";

/** What keeps a service from running, by what the cluster says of its pods. */
export interface Trouble {
  service: string;
  why: string;
  fix: string;
  /** Seconds after which it is taken for lasting. Infinity: Kubernetes itself ends the wait. */
  patience: number;
  /** The container whose last lines may tell more. */
  log?: Log;
  /** Pods of the service that do run. */
  ready: number;
}

/** What a container wrote; `previous`: before it was started again. */
export interface Log {
  pod: string;
  container: string;
  previous: boolean;
}

type Found = Omit<Trouble, "service" | "ready"> | undefined;

/** Nobody asks this project why another pod does not run. */
const OWN = "app.kubernetes.io/part-of=rejourney";
const REVISION = "deployment.kubernetes.io/revision";

/** Seconds, until the pods of what is being fixed are those of an older revision. */
const BRIEF = 10;
/** Seconds. An image registry may be away, or a quota in the way, for a moment. */
const SHORT = 30;
/** Seconds. Pods that are ending make room for others. */
const LONG = 120;

/** The troubles at this moment, one for each service, in no order; `stack` is the one whose settings fix them. */
export async function troubles(api: ClusterApi, stack: string): Promise<Trouble[]> {
  const space = `namespaces/${NAMESPACE}`;
  const [pods, warnings, killings, deployments, replicaSets, statefulSets, jobs] = await Promise.all([
    api.list<V1Pod>(`/api/v1/${space}/pods?labelSelector=${encodeURIComponent(OWN)}`),
    api.list<CoreV1Event>(`/api/v1/${space}/events?fieldSelector=type%3DWarning`),
    api.list<CoreV1Event>(`/api/v1/${space}/events?fieldSelector=reason%3DKilling`),
    api.list<V1Deployment>(`/apis/apps/v1/${space}/deployments`),
    api.list<V1ReplicaSet>(`/apis/apps/v1/${space}/replicasets`),
    api.list<V1StatefulSet>(`/apis/apps/v1/${space}/statefulsets`),
    api.list<V1Job>(`/apis/batch/v1/${space}/jobs`),
  ]);
  const events = [...warnings, ...killings].sort((a, b) => timeOf(a) - timeOf(b));
  const lastEvent: LastEvent = ({ metadata }, wanted, words = /^/) =>
    events.findLast(
      ({ involvedObject, reason, message }) =>
        involvedObject.uid === metadata!.uid && reason === wanted && words.test(message ?? ""),
    )?.message;
  // Pods of an older revision are on their way out; the attempts of a Job stay, also when it has succeeded after all.
  const newest = deployments.map(({ metadata }) => `${metadata!.name} ${metadata!.annotations?.[REVISION]}`);
  const older = replicaSets.filter(
    ({ metadata }) =>
      !newest.includes(`${metadata!.ownerReferences?.[0]?.name} ${metadata!.annotations?.[REVISION]}`),
  );
  const succeeded = jobs.filter(({ status }) => (status?.succeeded ?? 0) > 0);
  const over = [...older, ...succeeded].map(({ metadata }) => metadata!.uid);
  const current = pods.filter(({ metadata }) => !over.includes(metadata!.ownerReferences?.[0]?.uid));
  const found: [V1Pod | V1Deployment | V1StatefulSet | V1Job, Found][] = [
    ...current.map((pod): [V1Pod, Found] => [pod, ofPod(pod, lastEvent, stack)]),
    ...[...statefulSets, ...jobs].map((owner): [V1Job, Found] => [owner, refusalByEvent(owner, lastEvent)]),
    ...deployments.map((owner): [V1Deployment, Found] => [owner, refusalOf(owner)]),
  ];
  const all = found.flatMap(([object, trouble]) => (trouble ? [[serviceOf(object), trouble] as const] : []));
  return [...new Map(all)].map(([service, trouble]) => ({
    service,
    ...trouble,
    ready: pods.filter((pod) => serviceOf(pod) === service && isReady(pod) && !isEnding(pod)).length,
  }));
}

function timeOf({ lastTimestamp, eventTime }: CoreV1Event): number {
  return new Date(lastTimestamp ?? eventTime ?? 0).getTime();
}

function isEnding({ metadata }: V1Pod): boolean {
  return metadata!.deletionTimestamp !== undefined;
}

function isReady({ status }: V1Pod): boolean {
  return status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

type LastEvent = (
  object: V1Pod | V1StatefulSet | V1Job,
  reason: string,
  words?: RegExp,
) => string | undefined;

/** A workload, or a pod. */
export interface Labelled {
  metadata?: { name?: string; labels?: Record<string, string> };
  spec?: object;
}

/** The service that a workload or a pod is of; a Job bears a longer name than its pods. */
export function serviceOf({ metadata, spec }: Labelled): string {
  const { template } = (spec ?? {}) as { template?: Labelled };
  const { labels = {} } = template?.metadata ?? metadata!;
  return labels["app.kubernetes.io/name"] ?? metadata!.name!;
}

function refusalOf({ status }: V1Deployment): Found {
  const refusal = status?.conditions?.find(
    ({ type, status }) => type === "ReplicaFailure" && status === "True",
  );
  return refusal && refused(refusal.message!);
}

/** Others than a Deployment tell of it by an event alone, which outlives its reason. */
function refusalByEvent(owner: V1StatefulSet | V1Job, lastEvent: LastEvent): Found {
  const { replicas, active, succeeded, failed } = (owner.status ?? {}) as Record<string, number | undefined>;
  const refusal = lastEvent(owner, "FailedCreate");
  return replicas || active || succeeded || failed || refusal === undefined ? undefined : refused(refusal);
}

function refused(message: string): Found {
  return {
    why: `the cluster rejects another pod: ${message.replace(/^.* is forbidden: /, "")}`,
    fix: `find what uses the quota (kubectl get pods --namespace ${NAMESPACE}), and remove what does not belong to the stack`,
    patience: SHORT,
  };
}

function ofPod(pod: V1Pod, lastEvent: LastEvent, stack: string): Found {
  const { metadata, status = {} } = pod;
  const isJob = metadata!.ownerReferences?.[0]?.kind === "Job";
  const isOver = status.phase === "Succeeded" || (status.phase === "Failed" && !isJob);
  if (isOver || isEnding(pod)) return undefined;
  const unscheduled = status.conditions?.find(
    ({ type, status }) => type === "PodScheduled" && status === "False",
  );
  if (unscheduled !== undefined)
    return {
      why: `no node can run its pod: ${unscheduled.message}`,
      fix: `add a node, or lower rejourney:services or rejourney:data in Pulumi.${stack}.yaml`,
      patience: LONG,
    };
  // The sidecar of a Job ends badly whenever the Job does, so it comes last.
  const containers = [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])];
  for (const container of containers) {
    const found = ofContainer(pod, container, lastEvent, stack);
    // A Job tries again, and says when it gives up.
    if (found !== undefined) return isJob && found.log ? { ...found, patience: Infinity } : found;
  }
  return undefined;
}

function ofContainer(
  pod: V1Pod,
  { name, ready, state = {}, lastState, restartCount }: V1ContainerStatus,
  lastEvent: LastEvent,
  stack: string,
): Found {
  const { waiting, running } = state;
  const reason = waiting?.reason ?? "";
  const settings = `in Pulumi.${stack}.yaml`;
  if (ready) return undefined;
  if (/Image/.test(reason))
    return {
      why: `its image is not available: ${lastEvent(pod, "Failed", /^Failed to pull/) ?? waiting?.message ?? reason}`,
      fix: `correct rejourney:release or rejourney:images ${settings}; a private registry needs rejourney:registry`,
      patience: SHORT,
    };
  if (/^(CreateContainer|RunContainer)/.test(reason))
    return {
      why: `its container cannot be created: ${waiting?.message ?? reason}`,
      fix: `kubectl describe pod ${pod.metadata!.name} --namespace ${NAMESPACE}`,
      patience: SHORT,
    };
  const mount = waiting && lastEvent(pod, "FailedMount");
  if (mount !== undefined)
    return {
      why: `its volume cannot be mounted: ${mount}`,
      fix: `kubectl describe pod ${pod.metadata!.name} --namespace ${NAMESPACE}`,
      patience: LONG,
    };
  const log = {
    pod: pod.metadata!.name!,
    container: name,
    previous: running !== undefined && restartCount > 0,
  };
  const fix = `fix the error in its log, or set rejourney:release or rejourney:images ${settings} back to the version before`;
  const unhealthy = lastEvent(pod, "Unhealthy");
  const ended = state.terminated ?? lastState?.terminated;
  // It has had all the time that there is.
  if (lastEvent(pod, "Killing", new RegExp(`${name} failed startup probe`)) !== undefined)
    return { why: `it did not become healthy within startSeconds: ${unhealthy}`, fix, patience: BRIEF, log };
  if (ended?.reason === "OOMKilled")
    return {
      why: "it uses more memory than its limit",
      fix: `raise its memory in rejourney:services or rejourney:data ${settings}`,
      patience: SHORT,
      log,
    };
  if (ended !== undefined && (ended.exitCode !== 0 || restartCount > 0))
    return { why: `it exits with code ${ended.exitCode}`, fix, patience: SHORT, log };
  return running && unhealthy !== undefined
    ? { why: `it is unhealthy: ${unhealthy}`, fix, patience: Infinity, log }
    : undefined;
}
