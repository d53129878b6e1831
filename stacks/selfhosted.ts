import * as pulumi from "@pulumi/pulumi";
import { DockerDeployment } from "../infra/docker/deployment.ts";
import { HOST_RECORD } from "../infra/docker/host.ts";
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
  // Written by `up`: no run of the engine may forget or change it.
  new pulumi.Stash(HOST_RECORD, { input: "" }, { protect: true, ignoreChanges: ["input"] });
  return outputs(settings, store);
}
