import { basename } from "node:path";
import type { V1Deployment } from "@kubernetes/client-node";
import { SECRET_NAMES } from "../../infra/app/secrets.ts";
import type { ClusterApi } from "../../infra/cluster/api.ts";
import { NAMESPACE, selectorOf } from "../../infra/manifest.ts";
import { HASH_ANNOTATION, keysRead, secretsHash } from "../../infra/kubernetes/readers.ts";
import { secretTemplates, type SecretTemplate } from "../../infra/kubernetes/secrets.ts";
import { groupOf, type ServiceKey } from "../../infra/kubernetes/secret-groups.ts";
import { keyedHash } from "../../infra/secrets/hash.ts";
import { command } from "../../infra/settings/command.ts";
import { boundBy } from "../../infra/settings/generated.ts";
import { type KubernetesSettings, loadKubernetesSettings } from "../../infra/settings/load.ts";
import { SettingsError } from "../../infra/settings/problem.ts";
import { envPath, fileInput } from "../../infra/settings/sources.ts";
import { reachedCluster } from "./connection.ts";
import { needSameDatabase } from "./existing-data.ts";
import type { Options } from "../terminal/options.ts";
import { Failure, log, print, printJson } from "../terminal/output.ts";
import { contentsIn, liveSecrets } from "./secrets.ts";
import { boundProblems } from "../secrets/bound.ts";
import {
  compare,
  complete,
  type Contents,
  contentsOf,
  told,
  touched,
  workloads,
} from "../secrets/sync-plan.ts";

export interface DirectOptions extends Options {
  dryRun: boolean;
  prune: boolean;
}

const MERGE = "application/merge-patch+json";

/**
 * Takes the values of the sources into the Secrets of a cluster that no stack manages, such as one that was made by
 * `kubectl apply -f k8s/`. Throws SettingsError and Failure before any change.
 */
export async function syncDirect({ stack, json, dryRun, prune }: DirectOptions): Promise<void> {
  const settings = loadKubernetesSettings(fileInput(stack));
  for (const warning of settings.warnings) log(`Warning: ${warning}`);
  refuseEncrypted(settings);
  const secrets = complete(settings.secrets);
  // Not stored anywhere, so it follows from what every such deployment has.
  const hashKey = keyedHash(secrets.STORAGE_ENCRYPTION_KEY, "secrets of a cluster without a stack");
  const given = contentsOf(settings, secrets, hashKey);
  const api = await reachedCluster(settings);
  await needUnmanaged(api, stack);
  await needSameDatabase(api, settings);
  const found = await liveSecrets(api, settings);
  const live = contentsIn(found);
  const next: Contents = prune ? given : { ...live, ...given };
  const compared = compare(live, next);
  const changes = touched(compared);
  const bound = SECRET_NAMES.filter(
    (name) =>
      boundBy(name, settings) !== undefined &&
      compared.changed.some((change) => change.startsWith(`${NAMESPACE}/`) && change.endsWith(`/${name}`)),
  );
  if (bound.length > 0)
    throw new SettingsError(
      boundProblems(
        bound,
        settings,
        () => `put back the value that the Secrets in the namespace ${NAMESPACE} contain`,
      ),
    );
  const stale = await staleWorkloads(api, settings, next, hashKey);
  const plan = {
    ...compared,
    drifted: [],
    kept: Object.keys(next).filter((name) => !(name in given)),
    restarts: stale.map(({ name }) => name),
  };
  if (!json) print(told(plan, []));
  if (!dryRun) {
    for (const template of secretTemplates(settings)) {
      const place = `${template.namespace}/${template.name}/`;
      const own = changes.filter((name) => name.startsWith(place)).map((name) => name.slice(place.length));
      const isThere = found.some(
        ({ metadata }) => metadata!.namespace === template.namespace && metadata!.name === template.name,
      );
      if (own.length > 0) await write(api, template, isThere, dataOf(own, place, next));
    }
    for (const { path, body } of stale) await api.request("PATCH", path, { body, contentType: MERGE });
  }
  if (json) printJson({ stack, secrets: plan, others: [] });
}

function refuseEncrypted({ encrypted, stack }: KubernetesSettings): void {
  if (encrypted.length === 0) return;
  const file = `Pulumi.${stack}.yaml`;
  throw new SettingsError(
    encrypted.map((key) => ({
      key,
      what: `is encrypted in ${file}, and only a stack can decrypt it`,
      fix: `add it to ${basename(envPath())}, or leave out --direct`,
    })),
  );
}

/** Throws Failure without a namespace, and in one of a stack: that would set back what it finds changed. */
async function needUnmanaged(api: ClusterApi, stack: string): Promise<void> {
  const namespace = await api.get(`/api/v1/namespaces/${NAMESPACE}`);
  if (namespace === undefined)
    throw new Failure(
      `The cluster has no namespace ${NAMESPACE}; nothing was changed.\n  Fix: kubectl apply -f k8s/00-namespace.yml`,
    );
  const managers = namespace.metadata.managedFields ?? [];
  if (!managers.some(({ manager = "" }) => manager.startsWith("pulumi-"))) return;
  throw new Failure(
    `The namespace ${NAMESPACE} belongs to a stack, and --direct would bypass its state; nothing was changed.\n` +
      `  Fix: ${command(stack, "secrets sync")}`,
  );
}

/** The keys that change, in base64; null removes one. */
function dataOf(keys: readonly string[], place: string, next: Contents) {
  const value = (key: string) => next[place + key];
  return Object.fromEntries(
    keys.map((key) => [key, value(key) === undefined ? null : Buffer.from(value(key)!).toString("base64")]),
  );
}

/** In place, where there is one: it is there at every moment. */
async function write(
  api: ClusterApi,
  { namespace, name, type }: SecretTemplate,
  isThere: boolean,
  data: Record<string, string | null>,
): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/secrets`;
  if (isThere) await api.request("PATCH", `${path}/${name}`, { body: { data }, contentType: MERGE });
  else {
    const metadata = { name, namespace, labels: selectorOf(name) };
    const body = { apiVersion: "v1", kind: "Secret", metadata, type, data };
    await api.request("POST", path, { body });
  }
}

/** The workloads of the cluster whose pods have read other values, and what restarts them. */
async function staleWorkloads(
  api: ClusterApi,
  settings: KubernetesSettings,
  next: Contents,
  hashKey: string,
) {
  const read = (key: ServiceKey) => next[`${NAMESPACE}/${groupOf(key)}/${key}`] ?? "";
  const all = workloads(settings).map(async (manifest) => {
    const { name } = manifest.metadata;
    const path = `/apis/apps/v1/namespaces/${NAMESPACE}/${manifest.kind.toLowerCase()}s/${name}`;
    const hash = secretsHash(keysRead(manifest), read, hashKey);
    const live = await api.get<V1Deployment>(path);
    const annotations = live?.spec?.template.metadata?.annotations ?? {};
    if (live === undefined || annotations[HASH_ANNOTATION] === hash) return [];
    const body = { spec: { template: { metadata: { annotations: { [HASH_ANNOTATION]: hash } } } } };
    return [{ name, path, body }];
  });
  return (await Promise.all(all)).flat();
}
