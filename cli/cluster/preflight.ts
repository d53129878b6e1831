import type { V1Node, V1Secret } from "@kubernetes/client-node";
import { GENERATED_SECRETS, type SecretName } from "../../infra/app/secrets.ts";
import { ClusterApi, type KubernetesObject } from "../../infra/kubernetes/api.ts";
import { ApiError, ClusterError, KubeconfigError } from "../../infra/kubernetes/errors.ts";
import { traefikConfig } from "../../infra/edge/traefik.ts";
import { ownDataServices, STORAGE_NODE } from "../../infra/kubernetes/data.ts";
import { NAMESPACE } from "../../infra/manifest.ts";
import { stages } from "../../infra/kubernetes/parts.ts";
import type { KubernetesSettings } from "../../infra/settings/load.ts";
import type { Problem } from "../../infra/settings/problem.ts";
import { Failure } from "../terminal/output.ts";
import { bundleName } from "../state/recovery-bundle.ts";
import type { Resource } from "../engine/stack.ts";

const SPACE = `/api/v1/namespaces/${NAMESPACE}`;

/** What lacks when the API server does not know a group of kinds. */
const PROVIDERS: Record<string, string> = {
  "cert-manager.io": "cert-manager is not installed: see docs/edge.md, or set another rejourney:tls",
  "helm.cattle.io": "this is no K3s, or one without its Helm controller",
  "traefik.io": "Traefik is not installed: K3s brings it, unless started with --disable=traefik",
};

/** The cluster of a stack. Throws Failure when the kubeconfig cannot be used, or the API server does not answer. */
export async function reachedCluster({ context, stack }: KubernetesSettings): Promise<ClusterApi> {
  try {
    const api = ClusterApi.open(context);
    await api.request("GET", "/version");
    // An answer that needs rights: credentials that have run out are told here, before any change.
    await api.get(SPACE);
    return api;
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    const fault =
      error instanceof KubeconfigError
        ? "is not known"
        : error instanceof ApiError
          ? "refuses these credentials"
          : "cannot be reached";
    const what = `The cluster of the stack ${stack} ${fault}: ${error.message}`;
    throw new Failure(
      `${what}; nothing was changed.\n` +
        `  Mend: name a kubeconfig by KUBECONFIG, and where it has several contexts, set rejourney:context in Pulumi.${stack}.yaml; then try: kubectl get nodes`,
    );
  }
}

/** Throws Failure with everything that the cluster lacks. Before any change. */
export async function needFitCluster(api: ClusterApi, settings: KubernetesSettings): Promise<void> {
  const problems = [
    ...(await missingKinds(api, settings)),
    ...(await missingNodes(api, settings)),
    ...(await othersTraefik(api)),
  ];
  if (problems.length === 0) return;
  const lines = problems.map(({ key, what, mend }) => `  ${key} ${what}.\n    Mend: ${mend}`);
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
      what: "is not known to the API server",
      mend: PROVIDERS[version.split("/")[0]!]!,
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
      what: "is a label of no node, so that PostgreSQL and Redis have no place",
      mend: `kubectl label node NAME ${label}=${value}`,
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
      what: "is there, not of this stack, and would be replaced",
      mend: `look at what it sets (docs/edge.md says what the stack sets), then: kubectl delete helmchartconfig ${metadata.name} --namespace ${metadata.namespace}`,
    },
  ];
}

/**
 * Throws Failure when this is another cluster than the one that the state is of, when a claim that the state knows is
 * gone, or when the cluster holds a database that the state does not know: the password for it would be made anew.
 */
export async function needSameCluster(
  api: ClusterApi,
  resources: readonly Resource[],
  settings: KubernetesSettings,
): Promise<void> {
  const { stack } = settings;
  const refresh = `npm run pulumi -- refresh --yes --stack ${stack}`;
  const namespace = resources.find(({ type }) => type === "kubernetes:core/v1:Namespace");
  if (namespace === undefined) return needKnownData(api, settings);
  const there = await api.get(SPACE);
  if (there?.metadata.uid !== uidOf(namespace))
    throw new Failure(
      `${api.server} is not the cluster that the stack ${stack} is deployed to: ` +
        `${there === undefined ? `it has no namespace ${NAMESPACE}` : `its namespace ${NAMESPACE} is another one`}. Nothing was changed.\n` +
        `  Mend: point KUBECONFIG, or rejourney:context in Pulumi.${stack}.yaml, to the right cluster\n` +
        `  Or, if the namespace was deleted, and its data is given up: ${refresh}, then the same command again`,
    );
  for (const claim of resources.filter(({ type }) => type === "kubernetes:core/v1:PersistentVolumeClaim")) {
    const { name } = (claim.inputs as unknown as KubernetesObject).metadata;
    const live = await api.get(`${SPACE}/persistentvolumeclaims/${name}`);
    if (live?.metadata.uid === uidOf(claim)) continue;
    throw new Failure(
      `The claim ${name} of the stack ${stack} ${live === undefined ? "is gone" : "was made anew"}, and with it the way to its data. Nothing was changed.\n` +
        `  Mend: its volume may be there still (kubectl get persistentvolumes); make a claim of this name that is bound to it, then: ${refresh}\n` +
        `  Or, to begin with an empty one: ${refresh}, then the same command again`,
    );
  }
}

/** Throws Failure when the database that is there has another name, or another owner, than the settings say. */
export async function needSameDatabase(
  api: ClusterApi,
  { notGenerated, variables, stack }: KubernetesSettings,
): Promise<void> {
  if (notGenerated.includes("POSTGRES_PASSWORD")) return; // somebody else's
  const inUse = await valuesOf(api, "postgres-secret");
  const other = (["POSTGRES_USER", "POSTGRES_DB"] as const).filter(
    (name) => inUse[name] !== undefined && inUse[name] !== variables[name],
  );
  if (other.length === 0) return;
  throw new Failure(
    `${other.join(" and ")} cannot change once there is a database, which was made with ${other.map((name) => inUse[name]).join(" and ")}; nothing was changed.\n` +
      `  Mend: set ${other.length === 1 ? "it" : "them"} back, in .env or rejourney:variables of Pulumi.${stack}.yaml`,
  );
}

function uidOf({ outputs }: Resource): string | undefined {
  return (outputs as unknown as KubernetesObject | undefined)?.metadata.uid;
}

async function needKnownData(
  api: ClusterApi,
  { stack, secrets, encrypted }: KubernetesSettings,
): Promise<void> {
  const claim = await api.get(`${SPACE}/persistentvolumeclaims/postgres-data`);
  if (claim === undefined) return;
  const inUse = { ...(await valuesOf(api, "postgres-secret")), ...(await valuesOf(api, "app-secret")) };
  const isGiven = (name: SecretName) => secrets[name] !== undefined || encrypted.includes(name);
  const missing = GENERATED_SECRETS.filter((name) => !isGiven(name) && !name.startsWith("S3_"));
  const other = (["POSTGRES_PASSWORD", "STORAGE_ENCRYPTION_KEY"] as const).filter(
    (name) => inUse[name] !== undefined && secrets[name] !== undefined && inUse[name] !== secrets[name],
  );
  if (missing.length + other.length === 0) return;
  const why =
    other.length > 0
      ? `${other.join(" and ")} of .env ${other.length === 1 ? "is not the one" : "are not those"} in use there.`
      : `.env lacks ${missing.join(", ")}. New ones would not open it.`;
  throw new Failure(
    `The claim postgres-data holds a database, and this project has no state with its secrets; ${why} Nothing was changed.\n` +
      `  With the recovery bundle:        npx rejourney recover ${bundleName(stack)} --key recovery.key\n` +
      "  With the .env that it ran with:  put it back, then run the same command again\n" +
      `  To give the data up:             kubectl delete namespace ${NAMESPACE}`,
  );
}

async function valuesOf(api: ClusterApi, secret: string): Promise<Record<string, string>> {
  const { data = {} } = (await api.get<V1Secret>(`${SPACE}/secrets/${secret}`)) ?? {};
  const entries = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]);
  return Object.fromEntries(entries) as Record<string, string>;
}
