/** The kinds that a deployment is made of, by their API version. */
interface Kinds {
  v1:
    | "LimitRange"
    | "Namespace"
    | "PersistentVolumeClaim"
    | "ResourceQuota"
    | "Secret"
    | "Service"
    | "ServiceAccount";
  "apps/v1": "Deployment" | "StatefulSet";
  "autoscaling/v2": "HorizontalPodAutoscaler";
  "batch/v1": "Job";
  "cert-manager.io/v1": "Certificate" | "ClusterIssuer";
  "helm.cattle.io/v1": "HelmChartConfig";
  "networking.k8s.io/v1": "Ingress" | "NetworkPolicy";
  "policy/v1": "PodDisruptionBudget";
  "scheduling.k8s.io/v1": "PriorityClass";
  "storage.k8s.io/v1": "StorageClass";
  "traefik.io/v1alpha1": "IngressRoute" | "Middleware";
}

type ApiVersion = keyof Kinds;

/** An API version and a kind of it, as one text. */
export type VersionKind = { [V in ApiVersion]: `${V}/${Kinds[V]}` }[ApiVersion];

/** A Kubernetes object as a plain value; the same value is rendered to a file and registered with the engine. */
export interface Manifest {
  apiVersion: ApiVersion;
  kind: Kinds[ApiVersion];
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
export function namespaced<V extends ApiVersion>(
  apiVersion: V,
  kind: Kinds[V],
  name: string,
  rest: Record<string, unknown>,
  metadata: Partial<Metadata> = {},
): Manifest {
  const all = { name, namespace: NAMESPACE, labels: selectorOf(name), ...metadata };
  return { apiVersion, kind, metadata: all, ...rest };
}

/** An object of the whole cluster. */
export function clusterWide<V extends ApiVersion>(
  apiVersion: V,
  kind: Kinds[V],
  name: string,
  rest: Record<string, unknown> = {},
  labels: Record<string, string> = {},
): Manifest {
  return { apiVersion, kind, metadata: { name, labels: { ...PART_OF, ...labels } }, ...rest };
}
