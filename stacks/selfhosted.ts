import * as pulumi from "@pulumi/pulumi";
import { DockerDeployment } from "../infra/docker/deployment.ts";
import { HOST_RECORD } from "../infra/docker/host.ts";
import { SECRET_STORE } from "../infra/secrets/names.ts";
import { SecretStore } from "../infra/secrets/store.ts";
import type { DockerSettings } from "../infra/settings/load.ts";
import { hostOfRun } from "../infra/settings/sources.ts";
import { outputs } from "./outputs.ts";

/** The single-node deployment: its secrets, then the Compose project that needs them. */
export function selfhosted(settings: DockerSettings) {
  const store = new SecretStore(SECRET_STORE, { sources: settings.secrets });
  // From its first value on, `up` writes it: no run of the engine may forget or change it.
  const host = new pulumi.Stash(
    HOST_RECORD,
    { input: hostOfRun() },
    { protect: true, ignoreChanges: ["input"] },
  );
  // Every value is on record before anything uses it.
  new DockerDeployment("rejourney", { settings, store }, { dependsOn: [store, host] });
  return outputs(settings, store);
}
