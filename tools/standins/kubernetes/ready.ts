// Whether an object does what it is there for, by its status.
import type {
  V1DaemonSet,
  V1Deployment,
  V1Job,
  V1StatefulSet,
  V1CustomResourceDefinition,
} from "@kubernetes/client-node";
import type { KubernetesObject } from "../../../infra/cluster/api.ts";

/** What is still missing. */
export interface Unready {
  why: string;
  /** No further waiting helps. */
  final?: boolean;
}

/** Since when an object is waited for, and what time it is, in milliseconds. */
export interface Times {
  since: number;
  now: number;
}

/** Undefined for an object that is ready, or of a kind that is not waited for. */
export function unready(object: KubernetesObject, times: Times): Unready | undefined {
  const judge = JUDGES[`${object.apiVersion.split("/")[0]}/${object.kind}`];
  return object.metadata.annotations?.["pulumi.com/skipAwait"] === "true"
    ? undefined
    : judge?.(object, times);
}

const JUDGES: Record<string, (object: KubernetesObject, times: Times) => Unready | undefined> = {
  "apps/Deployment": deployment,
  "apps/StatefulSet": statefulSet,
  "apps/DaemonSet": daemonSet,
  "batch/Job": job,
  "apiextensions.k8s.io/CustomResourceDefinition": (object) => {
    const { status } = object as unknown as V1CustomResourceDefinition;
    return hasCondition(status?.conditions, "Established") ? undefined : { why: "not established yet" };
  },
};

function deployment(object: KubernetesObject, { since, now }: Times): Unready | undefined {
  const { spec, status = {} } = object as unknown as V1Deployment;
  const unseen = unseenBy(object);
  if (unseen !== undefined) return unseen;
  const stuck = status.conditions?.find(({ type, status }) => type === "Progressing" && status === "False");
  if (stuck !== undefined) {
    // Stuck before anybody waited: what held it may be fixed by now, so it gets the same time again.
    const isOld = new Date(stuck.lastUpdateTime!).getTime() < since;
    const final = !isOld || now - since > 1000 * (spec!.progressDeadlineSeconds ?? 600);
    return { why: `${stuck.reason}: ${stuck.message}`, ...(final && { final }) };
  }
  const wanted = spec!.replicas ?? 1;
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status;
  const left = replicas - updatedReplicas;
  const why =
    fewer(updatedReplicas, wanted, "made") ??
    (left > 0 ? { why: `${left} old pods are left` } : undefined) ??
    fewer(availableReplicas, wanted, "available");
  const refused = status.conditions?.find(
    ({ type, status }) => type === "ReplicaFailure" && status === "True",
  );
  return why && refused ? { why: `${why.why} (${refused.reason}: ${refused.message})` } : why;
}

function statefulSet(object: KubernetesObject): Unready | undefined {
  const { spec, status } = object as unknown as V1StatefulSet;
  const wanted = spec!.replicas ?? 1;
  return (
    unseenBy(object) ??
    fewer(status?.updatedReplicas, wanted, "made") ??
    (status?.currentRevision === status?.updateRevision ? undefined : { why: "old pods are left" }) ??
    fewer(status?.availableReplicas, wanted, "available")
  );
}

function daemonSet(object: KubernetesObject): Unready | undefined {
  const { status } = object as unknown as V1DaemonSet;
  const wanted = status?.desiredNumberScheduled ?? 0;
  return (
    unseenBy(object) ??
    fewer(status?.updatedNumberScheduled, wanted, "made") ??
    fewer(status?.numberAvailable, wanted, "available")
  );
}

function job(object: KubernetesObject): Unready | undefined {
  const { spec, status } = object as unknown as V1Job;
  const failed = status?.conditions?.find(({ type, status }) => type === "Failed" && status === "True");
  if (failed !== undefined) return { why: `${failed.reason}: ${failed.message}`, final: true };
  if (spec?.suspend || hasCondition(status?.conditions, "Complete")) return undefined;
  return { why: `${status?.succeeded ?? 0} pods have succeeded, ${status?.failed ?? 0} failed` };
}

function unseenBy({ metadata, status }: KubernetesObject): Unready | undefined {
  const seen = (status?.observedGeneration as number | undefined) ?? 0;
  return seen < (metadata.generation ?? 0) ? { why: "its controller has not seen it yet" } : undefined;
}

function fewer(count = 0, wanted: number, what: string): Unready | undefined {
  return count < wanted ? { why: `${count} of ${wanted} pods ${what}` } : undefined;
}

function hasCondition(conditions: { type: string; status: string }[] | undefined, wanted: string): boolean {
  return conditions?.some(({ type, status }) => type === wanted && status === "True") ?? false;
}
