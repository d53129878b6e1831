// What an update cannot do, and what somebody has changed by hand.
import { isDeepStrictEqual } from "node:util";
import { isObject, UNKNOWN, type Value, type Values, valueAt } from "./values.ts";

/** Settings of the provider; off by default, as in the official plugin. */
export interface Mutability {
  secrets: boolean;
  configMaps: boolean;
}

/** Fields that an object keeps as long as it lives, by kind. */
const IMMUTABLE: Record<string, readonly string[]> = {
  Deployment: ["spec.selector"],
  Job: ["spec.completions", "spec.selector", "spec.template"],
  PersistentVolumeClaim: [
    ...["spec.accessModes", "spec.selector", "spec.storageClassName"],
    ...["spec.volumeMode", "spec.volumeName", "spec.dataSource"],
  ],
  PriorityClass: ["value", "preemptionPolicy"],
  Secret: ["type"],
  Service: ["spec.clusterIP"],
  StatefulSet: [
    ...["spec.selector", "spec.serviceName", "spec.podManagementPolicy", "spec.volumeClaimTemplates"],
  ],
  StorageClass: ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"],
};

/** The changed fields for which an object has to be made anew. */
export function replacing(old: Values, now: Values, mutability: Mutability): string[] {
  const kind = now.kind as string;
  const sealed =
    (kind === "Secret" && !mutability.secrets) || (kind === "ConfigMap" && !mutability.configMaps);
  const fixed = [
    "apiVersion",
    ...["metadata.name", "metadata.namespace"],
    ...(IMMUTABLE[kind] ?? []),
    ...(sealed ? ["data", "binaryData"] : []),
  ];
  return fixed.filter((path) => {
    const [before, after] = [valueAt(old, path), valueAt(now, path)];
    return !isDeepStrictEqual(before, after) && (after !== UNKNOWN || path.startsWith("metadata."));
  });
}

/** The changed inputs of the provider itself for which every object has to be made anew. */
export function otherCluster(old: Values, now: Values): string[] {
  const changed = (key: string) => !isDeepStrictEqual(old[key], now[key]);
  if (old.clusterIdentifier !== undefined && now.clusterIdentifier !== undefined)
    return ["clusterIdentifier"].filter(changed);
  return ["kubeconfig", "context", "cluster"].filter(changed);
}

/**
 * The inputs as the cluster has them now. `applied` is what would be there after another apply of them: where that
 * is no different, they stay as they are written, so that 0.5 is no drift from 500m.
 */
export function drifted(
  inputs: Value,
  applied: Value | undefined,
  live: Value | undefined,
): Value | undefined {
  if (isDeepStrictEqual(applied, live)) return inputs;
  if (isObject(inputs) && isObject(applied) && isObject(live)) {
    const entries = Object.entries(inputs).map(
      ([key, value]) => [key, drifted(value, applied[key], live[key])] as const,
    );
    return Object.fromEntries(entries.filter((entry): entry is [string, Value] => entry[1] !== undefined));
  }
  if (Array.isArray(inputs) && Array.isArray(applied) && Array.isArray(live)) {
    const find = counterpart(inputs, live);
    if (find !== undefined)
      return inputs
        .map((value, index) => drifted(value, find(applied, index), find(live, index)))
        .filter((value) => value !== undefined);
  }
  return live;
}

/** How to find the item of a list that belongs to the one at an index of `inputs`: by its name, else by its place. */
function counterpart(inputs: readonly Value[], live: readonly Value[]) {
  const nameOf = (value: Value | undefined) => (isObject(value) ? value.name : undefined);
  if (inputs.every((value) => nameOf(value) !== undefined))
    return (list: readonly Value[], index: number) =>
      list.find((value) => nameOf(value) === nameOf(inputs[index]));
  return inputs.length === live.length
    ? (list: readonly Value[], index: number): Value | undefined => list[index]
    : undefined;
}
