import type { V1Secret } from "@kubernetes/client-node";
import type { ClusterApi } from "../../infra/cluster/api.ts";
import { SECRET_NAMES } from "../../infra/app/secrets.ts";
import { NAMESPACE } from "../../infra/manifest.ts";
import { SECRET_GROUPS } from "../../infra/kubernetes/secret-groups.ts";
import { secretTemplates } from "../../infra/kubernetes/secrets.ts";
import type { KubernetesSettings } from "../../infra/settings/load.ts";
import type { Contents } from "../secrets/sync-plan.ts";

/** The Secrets of the deployment that are in the cluster now. */
export async function liveSecrets(api: ClusterApi, settings: KubernetesSettings): Promise<V1Secret[]> {
  const found = await Promise.all(
    secretTemplates(settings).map(({ namespace, name }) =>
      api.get<V1Secret>(`/api/v1/namespaces/${namespace}/secrets/${name}`),
    ),
  );
  return found.filter((secret) => secret !== undefined);
}

/** What they hold. */
export function contentsIn(secrets: readonly V1Secret[]): Contents {
  const entries = secrets.flatMap(({ metadata, data = {} }) =>
    Object.entries(data).map(([key, value]) => [
      `${metadata!.namespace}/${metadata!.name}/${key}`,
      Buffer.from(value, "base64").toString(),
    ]),
  );
  return Object.fromEntries(entries) as Contents;
}

/**
 * The secrets that services read, by the Secrets of the cluster. Those of the cluster itself are not among them: a
 * certificate, the login of a registry, the password of a dashboard.
 */
export async function servedSecrets(api: ClusterApi): Promise<Record<string, string>> {
  const found = await Promise.all(
    Object.keys(SECRET_GROUPS).map((group) =>
      api.get<V1Secret>(`/api/v1/namespaces/${NAMESPACE}/secrets/${group}`),
    ),
  );
  const data = Object.assign({}, ...found.map((secret) => secret?.data)) as Record<string, string>;
  const values = SECRET_NAMES.flatMap((name) =>
    data[name] === undefined ? [] : [[name, Buffer.from(data[name], "base64").toString()]],
  );
  return Object.fromEntries(values) as Record<string, string>;
}
