/** A Kubernetes object as a plain value; the same value is rendered to a file and registered with the engine. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
  [field: string]: unknown;
}

export interface Metadata {
  name: string;
  /** Absent for objects of the whole cluster. */
  namespace?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export const NAMESPACE = "rejourney";
/** Where K3s runs what is its own: Traefik, the DNS. */
export const SYSTEM_NAMESPACE = "kube-system";

const PART_OF = { "app.kubernetes.io/part-of": "rejourney" };

/** The labels by which selectors and NetworkPolicies find the pods of a part. */
export function selectorOf(name: string): Record<string, string> {
  return { "app.kubernetes.io/name": name, ...PART_OF };
}

/** An object in the application's namespace, unless its metadata name another. */
export function namespaced(
  apiVersion: string,
  kind: string,
  name: string,
  rest: Record<string, unknown>,
  metadata: Partial<Metadata> = {},
): Manifest {
  const all = { name, namespace: NAMESPACE, labels: selectorOf(name), ...metadata };
  return { apiVersion, kind, metadata: all, ...rest };
}

/** An object of the whole cluster. */
export function clusterWide(
  apiVersion: string,
  kind: string,
  name: string,
  rest: Record<string, unknown> = {},
  labels: Record<string, string> = {},
): Manifest {
  return { apiVersion, kind, metadata: { name, labels: { ...PART_OF, ...labels } }, ...rest };
}
