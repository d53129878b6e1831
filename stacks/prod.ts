import { KubernetesDeployment } from "../infra/kubernetes/deployment.ts";
import { SecretStore } from "../infra/secrets/store.ts";
import type { KubernetesSettings } from "../infra/settings/load.ts";

/** The distributed deployment: its secrets, then the application on the cluster. */
export function prod(settings: KubernetesSettings) {
  const store = new SecretStore("secrets", {
    sources: settings.secrets,
    notGenerated: settings.notGenerated,
  });
  new KubernetesDeployment("rejourney", { settings, store }, { dependsOn: store });
  return {
    dashboard: settings.variables.PUBLIC_DASHBOARD_URL,
    api: settings.variables.PUBLIC_API_URL,
    secretsThatDifferFromTheirSource: store.differing,
    secretsThatAreEmpty: store.empty,
  };
}
