import { keepsRecords, type ZoneSettings } from "../infra/edge/dns-plan.ts";
import { KubernetesDeployment } from "../infra/cluster/deployment.ts";
import { SECRET_STORE } from "../infra/secrets/names.ts";
import { SecretStore } from "../infra/secrets/store.ts";
import type { KubernetesSettings } from "../infra/settings/load.ts";
import { outputs } from "./outputs.ts";

/** The distributed deployment: its secrets, the application on the cluster, then the names that lead to it. */
export async function prod(settings: KubernetesSettings) {
  const store = new SecretStore(SECRET_STORE, {
    sources: settings.secrets,
    notGenerated: settings.notGenerated,
  });
  // Looked up first: what is in the way is told before anything is changed.
  const registerRecords = keepsRecords(settings) ? await lookedUp(settings, store) : undefined;
  const deployment = new KubernetesDeployment("rejourney", { settings, store }, { dependsOn: store });
  registerRecords?.(deployment);
  return outputs(settings, store);
}

async function lookedUp(settings: ZoneSettings, { values }: SecretStore) {
  // Cloudflare's types are many, so they are loaded only here.
  const { DnsRecords } = await import("../infra/edge/dns.ts");
  return new DnsRecords("rejourney-dns", { settings, token: values.CLOUDFLARE_API_TOKEN }).lookUp();
}
