import type { V1Secret } from "@kubernetes/client-node";
import { GENERATED_SECRETS, type SecretName } from "../../infra/app/secrets.ts";
import type { ClusterApi, KubernetesObject } from "../../infra/cluster/api.ts";
import { NAMESPACE } from "../../infra/manifest.ts";
import { command } from "../../infra/settings/command.ts";
import { isGeneratedHere } from "../../infra/settings/generated.ts";
import type { KubernetesSettings } from "../../infra/settings/load.ts";
import type { Resource } from "../engine/stack.ts";
import { bundleName } from "../state/recovery-bundle.ts";
import { Failure } from "../terminal/output.ts";

const SPACE = `/api/v1/namespaces/${NAMESPACE}`;

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
  const refresh = command(stack, "pulumi refresh --yes");
  const namespace = resources.find(({ type }) => type === "kubernetes:core/v1:Namespace");
  if (namespace === undefined) return needKnownData(api, settings);
  const there = await api.get(SPACE);
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

function uidOf({ outputs }: Resource): string | undefined {
  return (outputs as unknown as KubernetesObject | undefined)?.metadata.uid;
}

async function needKnownData(api: ClusterApi, settings: KubernetesSettings): Promise<void> {
  const { stack, secrets, encrypted } = settings;
  const claim = await api.get(`${SPACE}/persistentvolumeclaims/postgres-data`);
  if (claim === undefined) return;
  const inUse = { ...(await valuesOf(api, "postgres-secret")), ...(await valuesOf(api, "app-secret")) };
  const isGiven = (name: SecretName) => secrets[name] !== undefined || encrypted.includes(name);
  const missing = GENERATED_SECRETS.filter((name) => isGeneratedHere(name, settings) && !isGiven(name));
  const other = (["POSTGRES_PASSWORD", "STORAGE_ENCRYPTION_KEY"] as const).filter(
    (name) => inUse[name] !== undefined && secrets[name] !== undefined && inUse[name] !== secrets[name],
  );
  if (missing.length + other.length === 0) return;
  const why =
    other.length > 0
      ? `${other.join(" and ")} of .env ${other.length === 1 ? "is not the one" : "are not the ones"} that the cluster uses.`
      : `${missing.join(", ")}: missing in .env, and new values would not open it.`;
  throw new Failure(
    `The claim postgres-data holds a database, and this project has no state with its secrets. ${why} Nothing was changed.\n` +
      `  If you have the recovery bundle:       npx rejourney recover ${bundleName(stack)} --key recovery.key\n` +
      "  If you have the .env that it ran with: put it back, then retry\n" +
      `  If you do not need the data:           kubectl delete namespace ${NAMESPACE}`,
  );
}

async function valuesOf(api: ClusterApi, secret: string): Promise<Record<string, string>> {
  const { data = {} } = (await api.get<V1Secret>(`${SPACE}/secrets/${secret}`)) ?? {};
  const entries = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]);
  return Object.fromEntries(entries) as Record<string, string>;
}
