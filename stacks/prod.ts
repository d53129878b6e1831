import { DnsRecords, lookUpRecords } from "../infra/edge/dns.ts";
import { keepsRecords } from "../infra/edge/dns-plan.ts";
import { KubernetesDeployment } from "../infra/kubernetes/deployment.ts";
import { SecretStore } from "../infra/secrets/store.ts";
import type { KubernetesSettings } from "../infra/settings/load.ts";
import { outputs } from "./outputs.ts";

/** The distributed deployment: its secrets, the application on the cluster, then the names that lead to it. */
export async function prod(settings: KubernetesSettings) {
  const store = new SecretStore("secrets", {
    sources: settings.secrets,
    notGenerated: settings.notGenerated,
  });
  // Looked up first: what is in the way is told before anything is changed.
  const dns = keepsRecords(settings)
    ? await lookUpRecords(settings, store.values.CLOUDFLARE_API_TOKEN)
    : undefined;
  const deployment = new KubernetesDeployment("rejourney", { settings, store }, { dependsOn: store });
  if (dns !== undefined) new DnsRecords("rejourney-dns", dns, { dependsOn: deployment });
  return outputs(settings, store);
}
