import { keyedHash } from "../secrets/hash.ts";
import type { Manifest } from "../manifest.ts";
import type { ServiceKey } from "./secret-groups.ts";

/** Where the pods of a workload carry the hash of what they read. */
export const HASH_ANNOTATION = "rejourney.co/secrets-hash";

interface PodTemplate {
  spec: { containers: { env?: { valueFrom?: { secretKeyRef: { key: ServiceKey } } }[] }[] };
}

/** The keys of Secrets that the pods of a workload read; none of an object without pods. */
export function keysRead({ spec }: Manifest): ServiceKey[] {
  const { template } = (spec ?? {}) as { template?: PodTemplate };
  const containers = template?.spec.containers ?? [];
  return containers.flatMap(({ env = [] }) =>
    env.flatMap(({ valueFrom }) => (valueFrom === undefined ? [] : [valueFrom.secretKeyRef.key])),
  );
}

/** A hash that changes with these values and tells nothing of them to whoever lacks the key. */
export function secretsHash(
  keys: readonly ServiceKey[],
  valueOf: (key: ServiceKey) => string,
  hashKey: string,
): string {
  return keyedHash(
    hashKey,
    keys.map((key) => [key, valueOf(key)]),
  );
}
