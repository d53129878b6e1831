import type { V1Secret } from "@kubernetes/client-node";
import { GENERATED_SECRETS, type SecretName } from "../../infra/app/secrets.ts";
import type { ClusterApi, KubernetesObject } from "../../infra/cluster/api.ts";
import { stages } from "../../infra/kubernetes/parts.ts";
import { groupOf } from "../../infra/kubernetes/secret-groups.ts";
import { NAMESPACE, selectorOf } from "../../infra/manifest.ts";
import { command, shownEnvFile } from "../../infra/settings/command.ts";
import { isGeneratedHere } from "../../infra/settings/generated.ts";
import type { KubernetesSettings } from "../../infra/settings/load.ts";
import { secretsInUse } from "../engine/secret-slots.ts";
import type { Resource } from "../engine/stack.ts";
import { rotationsIn } from "../secrets/rotation-record.ts";
import { bundleName } from "../state/recovery-bundle.ts";
import { Failure } from "../terminal/output.ts";

const SPACE = `/api/v1/namespaces/${NAMESPACE}`;

/**
 * Throws Failure when this is another cluster than the one that the state is of, when a claim that the state knows is
 * gone, or when the cluster holds a database that the state does not know: a new password would be generated for it.
 */
export async function needSameCluster(
  api: ClusterApi,
  resources: readonly Resource[],
  settings: KubernetesSettings,
): Promise<void> {
  const { stack } = settings;
  const refresh = command(stack, "pulumi refresh --yes");
  const namespace = resources.find(({ type }) => type === "kubernetes:core/v1:Namespace");
  const there = await api.get(SPACE);
  if (there?.metadata.deletionTimestamp !== undefined)
    throw new Failure(
      `The namespace ${NAMESPACE} of ${api.server} is being deleted; nothing was changed.\n` +
        `  Fix: wait until it is gone (kubectl get namespace ${NAMESPACE}), then retry`,
    );
  if (namespace === undefined) return needKnownData(api, resources, settings);
  if (there?.metadata.uid !== uidOf(namespace))
    throw new Failure(
      `${api.server} is not the cluster of the stack ${stack}: ` +
        `${there === undefined ? `it has no namespace ${NAMESPACE}` : `its namespace ${NAMESPACE} is a different one`}. Nothing was changed.\n` +
        `  Fix: set KUBECONFIG, or rejourney:context in Pulumi.${stack}.yaml, to the right cluster\n` +
        `  If the namespace was deleted and you do not need its data: ${refresh}, then retry`,
    );
  for (const claim of resources.filter(({ type }) => type === "kubernetes:core/v1:PersistentVolumeClaim")) {
    const { name } = (claim.inputs as unknown as KubernetesObject).metadata;
    const live = await api.get(`${SPACE}/persistentvolumeclaims/${name}`);
    if (live?.metadata.uid === uidOf(claim)) continue;
    throw new Failure(
      `The claim ${name} of the stack ${stack} ${live === undefined ? "is gone" : "was recreated"}, so the stack no longer finds its data. Nothing was changed.\n` +
        `  Fix: if its volume still exists (kubectl get persistentvolumes), create a claim of this name that is bound to it, then: ${refresh}\n` +
        `  To start with an empty volume: ${refresh}, then retry`,
    );
  }
}

/** Throws Failure when the database that is there has another name, or another owner, than the settings say. */
export async function needSameDatabase(api: ClusterApi, settings: KubernetesSettings): Promise<void> {
  if (!isGeneratedHere("POSTGRES_PASSWORD", settings)) return; // somebody else's
  const { variables, stack } = settings;
  const inUse = await valuesOf(api, "postgres-secret");
  const other = (["POSTGRES_USER", "POSTGRES_DB"] as const).filter(
    (name) => inUse[name] !== undefined && inUse[name] !== variables[name],
  );
  if (other.length === 0) return;
  throw new Failure(
    `${other.join(" and ")} cannot change once the database exists; it was created with ${other.map((name) => inUse[name]).join(" and ")}; nothing was changed.\n` +
      `  Fix: set ${other.length === 1 ? "it" : "them"} back, in .env or rejourney:variables of Pulumi.${stack}.yaml`,
  );
}

/** Throws Failure when a run would take over an object that somebody else has made. */
export async function needNoOthers(
  api: ClusterApi,
  resources: readonly Resource[],
  settings: KubernetesSettings,
): Promise<void> {
  const parts = stages(settings).flat();
  const own = new Set(
    parts.flatMap(({ manifests }) => manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`)),
  );
  await needOwnObjects(api, resources, (kind, name) => own.has(`${kind} ${name}`));
}

function uidOf({ outputs }: Resource): string | undefined {
  return (outputs as unknown as Partial<KubernetesObject> | undefined)?.metadata?.uid;
}

/** What data depends on: with another value of these, nothing opens it any more. */
const KEYS_OF_DATA = ["POSTGRES_PASSWORD", "STORAGE_ENCRYPTION_KEY"] as const;

/**
 * Throws Failure when the Secrets of the cluster hold another value than the state of what data depends on: the state is
 * older than the cluster, and a run would bring a key back that opens nothing any more.
 */
export async function needSameSecrets(
  api: ClusterApi,
  resources: readonly Resource[],
  settings: KubernetesSettings,
): Promise<void> {
  // In the middle of a rotation the cluster may have either; the command that resumes it checks the cluster itself.
  if (rotationsIn(resources).open?.isApplied === false) return;
  const { stack } = settings;
  const live = await keysOfData(api, settings);
  if (Object.keys(live).length === 0) return;
  const other = differing(live, await inUseOr(settings, resources));
  if (other.length === 0) return;
  const secrets = [...new Set(other.map(groupOf))].join(" ");
  throw new Failure(
    `${other.join(" and ")} in the cluster ${other.length === 1 ? "is not the value" : "are not the values"} in the state of the stack ${stack}, and data depends on it: the state is older than the cluster, or somebody changed a Secret. Nothing was changed.\n` +
      `  Fix, if another copy of this project deployed since: run ${command(stack, "up")} there; or move .rejourney away, then npx rejourney recover ${bundleName(stack)} --key recovery.key with its last bundle\n` +
      `  Fix, if somebody changed the Secret: kubectl delete secret ${secrets} --namespace ${NAMESPACE}, then retry\n` +
      `  To see the values of the cluster: ${command(stack, "secrets export --from-cluster --env-file in-cluster.env")}`,
  );
}

/** Throws Failure when the namespace has workloads or claims that neither a stack nor the rendered manifests made. */
async function needOwnObjects(
  api: ClusterApi,
  resources: readonly Resource[],
  isMine: (kind: string, name: string) => boolean,
): Promise<void> {
  const found = await Promise.all(
    Object.entries(OBJECTS).map(async ([kind, path]) =>
      (await api.list<KubernetesObject>(path)).flatMap(({ metadata }) =>
        isOwn(metadata, resources) || !isMine(kind, metadata.name) ? [] : [`${kind} ${metadata.name}`],
      ),
    ),
  );
  const names = found.flat();
  if (names.length === 0) return;
  throw new Failure(
    `The namespace ${NAMESPACE} of ${api.server} has objects that this program did not create: ${names.join(", ")}. Nothing was changed.\n` +
      `  Fix: set KUBECONFIG to another cluster; or move these to another namespace`,
  );
}

const OBJECTS = {
  Deployment: `/apis/apps/v1/namespaces/${NAMESPACE}/deployments`,
  StatefulSet: `/apis/apps/v1/namespaces/${NAMESPACE}/statefulsets`,
  PersistentVolumeClaim: `${SPACE}/persistentvolumeclaims`,
};

/** By the labels of every object of this program, or because the state has it. */
function isOwn(
  { name, uid, labels = {} }: KubernetesObject["metadata"],
  resources: readonly Resource[],
): boolean {
  const isLabelled = Object.entries(selectorOf(name)).every(([label, value]) => labels[label] === value);
  return isLabelled || resources.some((resource) => uidOf(resource) === uid);
}

/** Throws Failure when the cluster holds data, or keys to it, that the sources and the state have not. */
async function needKnownData(
  api: ClusterApi,
  resources: readonly Resource[],
  settings: KubernetesSettings,
): Promise<void> {
  const { stack, encrypted } = settings;
  await needOwnObjects(api, resources, () => true);
  const claim = await api.get(`${SPACE}/persistentvolumeclaims/postgres-data`);
  const live = await keysOfData(api, settings);
  if (claim === undefined && Object.keys(live).length === 0) return;
  const given = await inUseOr(settings, resources);
  const isGiven = (name: SecretName) => given[name] !== undefined || encrypted.includes(name);
  const missing = GENERATED_SECRETS.filter((name) => isGeneratedHere(name, settings) && !isGiven(name));
  const other = differing(live, given);
  if (missing.length + other.length === 0) return;
  const why =
    other.length > 0
      ? `${other.join(" and ")} of ${shownEnvFile()} ${other.length === 1 ? "is not the one" : "are not the ones"} that the cluster uses.`
      : `${missing.join(", ")}: missing in ${shownEnvFile()}, and new values would not open it.`;
  const what =
    claim === undefined ? "The Secrets of the cluster open data" : "The claim postgres-data holds a database";
  throw new Failure(
    `${what}, and this project has no state with its secrets. ${why} Nothing was changed.\n` +
      `  If you have the recovery bundle:       npx rejourney recover ${bundleName(stack)} --key recovery.key\n` +
      "  If you have the .env that it ran with: put it back, then retry\n" +
      `  If you have neither:                   move ${shownEnvFile()} away, then ${command(stack, "secrets export --from-cluster")}, then retry\n` +
      `  If you do not need the data:           kubectl delete namespace ${NAMESPACE}`,
  );
}

/** Of what data depends on, the values that the Secrets of the cluster hold. */
async function keysOfData(
  api: ClusterApi,
  settings: KubernetesSettings,
): Promise<Partial<Record<KeyOfData, string>>> {
  const bound = KEYS_OF_DATA.filter((name) => isGeneratedHere(name, settings));
  const found = await Promise.all(
    bound.map(async (name) => [name, (await valuesOf(api, groupOf(name)))[name]]),
  );
  return Object.fromEntries(found.filter(([, value]) => value !== undefined)) as Partial<
    Record<KeyOfData, string>
  >;
}

type KeyOfData = (typeof KEYS_OF_DATA)[number];

function differing(
  live: Partial<Record<KeyOfData, string>>,
  inUse: Partial<Record<SecretName, string>>,
): KeyOfData[] {
  return KEYS_OF_DATA.filter(
    (name) => live[name] !== undefined && inUse[name] !== undefined && live[name] !== inUse[name],
  );
}

/** The values of the state; of the sources where the state has none yet. */
async function inUseOr(
  { stack, secrets }: KubernetesSettings,
  resources: readonly Resource[],
): Promise<Partial<Record<SecretName, string>>> {
  return { ...secrets, ...(resources.length > 0 && (await secretsInUse(stack))) };
}

async function valuesOf(api: ClusterApi, secret: string): Promise<Record<string, string>> {
  const { data = {} } = (await api.get<V1Secret>(`${SPACE}/secrets/${secret}`)) ?? {};
  const entries = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]);
  return Object.fromEntries(entries) as Record<string, string>;
}
