import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Manifest, VersionKind } from "../manifest.ts";

type Constructor = new (
  name: string,
  args: never,
  opts: pulumi.CustomResourceOptions,
) => pulumi.CustomResource;

/** Of kinds that others than Kubernetes itself define. */
const Foreign = k8s.apiextensions.CustomResource;

const TYPES: Record<VersionKind, Constructor> = {
  "v1/LimitRange": k8s.core.v1.LimitRange,
  "v1/Namespace": k8s.core.v1.Namespace,
  "v1/PersistentVolumeClaim": k8s.core.v1.PersistentVolumeClaim,
  "v1/ResourceQuota": k8s.core.v1.ResourceQuota,
  "v1/Secret": k8s.core.v1.Secret,
  "v1/Service": k8s.core.v1.Service,
  "v1/ServiceAccount": k8s.core.v1.ServiceAccount,
  "apps/v1/Deployment": k8s.apps.v1.Deployment,
  "apps/v1/StatefulSet": k8s.apps.v1.StatefulSet,
  "autoscaling/v2/HorizontalPodAutoscaler": k8s.autoscaling.v2.HorizontalPodAutoscaler,
  "batch/v1/Job": k8s.batch.v1.Job,
  "networking.k8s.io/v1/Ingress": k8s.networking.v1.Ingress,
  "networking.k8s.io/v1/NetworkPolicy": k8s.networking.v1.NetworkPolicy,
  "policy/v1/PodDisruptionBudget": k8s.policy.v1.PodDisruptionBudget,
  "scheduling.k8s.io/v1/PriorityClass": k8s.scheduling.v1.PriorityClass,
  "storage.k8s.io/v1/StorageClass": k8s.storage.v1.StorageClass,
  "cert-manager.io/v1/Certificate": Foreign,
  "cert-manager.io/v1/ClusterIssuer": Foreign,
  "helm.cattle.io/v1/HelmChartConfig": Foreign,
  "traefik.io/v1alpha1/IngressRoute": Foreign,
  "traefik.io/v1alpha1/Middleware": Foreign,
};

/**
 * Taken over from others who have set the same fields, so that a run takes back what was changed by hand. An Ingress is
 * not waited for: its backends are ready before it, and a controller that publishes no address would hang the run.
 */
const ANNOTATIONS = {
  every: { "pulumi.com/patchForce": "true" },
  Ingress: { "pulumi.com/skipAwait": "true" },
} as const;

/** Registers an object with the engine. */
export function register(
  name: string,
  manifest: Manifest,
  opts: pulumi.CustomResourceOptions,
): pulumi.CustomResource {
  const { apiVersion, kind, metadata } = manifest;
  const annotations = {
    ...metadata.annotations,
    ...ANNOTATIONS.every,
    ...(kind === "Ingress" && ANNOTATIONS.Ingress),
  };
  const Typed = TYPES[`${apiVersion}/${kind}` as VersionKind];
  const args = { ...manifest, metadata: { ...metadata, annotations } };
  return new Typed(name, args as never, {
    ...opts,
    // Names are fixed, so that the old object is in the way of the new one.
    deleteBeforeReplace: true,
    ...(kind === "Secret" && OF_SECRETS),
  });
}

const OF_SECRETS: pulumi.CustomResourceOptions = {
  // `kubectl apply` leaves a copy of all values in an annotation.
  additionalSecretOutputs: ["metadata"],
  transformations: [withoutEmptyData],
};

// The SDK marks all data as secret, no data at all too; the plugin would find a change in that at every run.
function withoutEmptyData({ props, opts }: pulumi.ResourceTransformationArgs) {
  const { data, ...others } = props as { data: pulumi.Output<Record<string, string>> };
  const given = pulumi
    .unsecret(data)
    .apply((all) => (Object.keys(all).length === 0 ? undefined : pulumi.secret(all)));
  return { props: { ...others, data: given }, opts };
}
