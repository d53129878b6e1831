import type { V1Node } from "@kubernetes/client-node";
import { traefikConfig } from "../../infra/edge/traefik.ts";
import type { ClusterApi } from "../../infra/cluster/api.ts";
import { ownDataServices, STORAGE_NODE } from "../../infra/kubernetes/data.ts";
import { stages } from "../../infra/kubernetes/parts.ts";
import type { KubernetesSettings } from "../../infra/settings/load.ts";
import type { Problem } from "../../infra/settings/problem.ts";
import { Failure } from "../terminal/output.ts";

/** What lacks when the API server does not know a group of kinds. */
const PROVIDERS: Record<string, string> = {
  "cert-manager.io": "install cert-manager (docs/edge.md), or set another rejourney:tls",
  "helm.cattle.io": "use K3s with its Helm controller",
  "traefik.io": "start K3s without --disable=traefik, so that it installs Traefik",
};

/** Throws Failure with everything that the cluster lacks. Before any change. */
export async function needFitCluster(api: ClusterApi, settings: KubernetesSettings): Promise<void> {
  const problems = [
    ...(await missingKinds(api, settings)),
    ...(await missingNodes(api, settings)),
    ...(await othersTraefik(api)),
  ];
  if (problems.length === 0) return;
  const lines = problems.map(({ key, what, fix }) => `  ${key} ${what}.\n    Fix: ${fix}`);
  throw new Failure(`The cluster is not ready; nothing was changed.\n${lines.join("\n")}`);
}

async function missingKinds(api: ClusterApi, settings: KubernetesSettings): Promise<Problem[]> {
  const manifests = stages(settings).flatMap((stage) => stage.flatMap((part) => part.manifests));
  const versions = new Set(manifests.map(({ apiVersion }) => apiVersion));
  const foreign = [...versions].filter((version) => version.split("/")[0]! in PROVIDERS);
  const found = await Promise.all(foreign.map((version) => api.get(`/apis/${version}`)));
  return foreign
    .filter((_, index) => found[index] === undefined)
    .map((version) => ({
      key: version,
      what: "is unknown to the API server",
      fix: PROVIDERS[version.split("/")[0]!]!,
    }));
}

async function missingNodes(api: ClusterApi, settings: KubernetesSettings): Promise<Problem[]> {
  if (ownDataServices(settings).length === 0) return [];
  const [[label, value]] = Object.entries(STORAGE_NODE) as [[string, string]];
  const selector = encodeURIComponent(`${label}=${value}`);
  const nodes = await api.list<V1Node>(`/api/v1/nodes?labelSelector=${selector}`);
  if (nodes.length > 0) return [];
  return [
    {
      key: `${label}=${value}`,
      what: "is missing: no node has this label, so PostgreSQL and Redis have no node",
      fix: `kubectl label node NAME ${label}=${value}`,
    },
  ];
}

/** There is one configuration of K3s's Traefik in a cluster, and whoever wrote it would lose it. */
async function othersTraefik(api: ClusterApi): Promise<Problem[]> {
  const { metadata } = traefikConfig();
  const path = `/apis/helm.cattle.io/v1/namespaces/${metadata.namespace}/helmchartconfigs/${metadata.name}`;
  const live = await api.get(path);
  const managers = live?.metadata.managedFields ?? [];
  if (live === undefined || managers.some(({ manager = "" }) => manager.startsWith("pulumi-"))) return [];
  return [
    {
      key: `HelmChartConfig ${metadata.name} in ${metadata.namespace}`,
      what: "exists, does not belong to this stack, and would be replaced",
      fix: `compare it with docs/edge.md, which lists what the stack sets, then: kubectl delete helmchartconfig ${metadata.name} --namespace ${metadata.namespace}`,
    },
  ];
}
