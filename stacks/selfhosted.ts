import { DockerDeployment } from "../infra/docker/deployment.ts";
import { SECRET_STORE } from "../infra/secrets/names.ts";
import { SecretStore } from "../infra/secrets/store.ts";
import type { DockerSettings } from "../infra/settings/load.ts";
import { outputs } from "./outputs.ts";

/** The single-node deployment: its secrets, then the Compose project that needs them. */
export function selfhosted(settings: DockerSettings) {
  const store = new SecretStore(SECRET_STORE, { sources: settings.secrets });
  new DockerDeployment(
    "rejourney",
    { settings, store },
    // Every value is on record before anything uses it.
    { dependsOn: store },
  );
  return outputs(settings, store);
}
