import * as pulumi from "@pulumi/pulumi";
import { DockerDeployment } from "../infra/docker/deployment.ts";
import { SecretStore } from "../infra/secrets/store.ts";
import type { DockerSettings } from "../infra/settings/load.ts";

/** The single-node deployment: its secrets, then the Compose project that needs them. */
export function selfhosted(settings: DockerSettings) {
  const store = new SecretStore("secrets", { sources: settings.secrets });
  new DockerDeployment(
    "rejourney",
    { settings, store },
    // Every value is on record before anything uses it.
    { dependsOn: store },
  );
  return {
    dashboard: settings.variables.PUBLIC_DASHBOARD_URL,
    api: settings.variables.PUBLIC_API_URL,
    secretsThatDifferFromTheirSource: store.differing,
    secretsThatAreEmpty: store.empty,
    // For `secrets export`. Secret, since who sends the mail, say, is nobody's business.
    environment: pulumi.secret(settings.environment),
  };
}
