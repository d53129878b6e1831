import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { SecretStore } from "../secrets/store.ts";
import type { KubernetesSettings } from "../settings/load.ts";
import { type Part, stages } from "./parts.ts";
import { PartDeployment } from "./part-deployment.ts";
import { secretManifests, valuesInUse } from "./secrets.ts";

export interface KubernetesDeploymentArgs {
  settings: KubernetesSettings;
  store: SecretStore;
}

/** The application on a cluster: each stage after the ones before it. */
export class KubernetesDeployment extends pulumi.ComponentResource {
  constructor(
    name: string,
    { settings, store }: KubernetesDeploymentArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("rejourney:kubernetes:KubernetesDeployment", name, {}, opts);
    const provider = new k8s.Provider(
      `${name}-cluster`,
      // Else another address or certificate of the same cluster would replace every object.
      { clusterIdentifier: `rejourney-${settings.stack}` },
      { parent: this },
    );
    const values = valuesInUse(settings, store);
    const secrets: Part = { name: "secrets", manifests: secretManifests(settings, values, store.hashKey) };
    const [first, ...others] = stages(settings);
    let before: pulumi.Resource[] = [];
    for (const stage of [first!, [secrets], ...others]) {
      before = stage.flatMap(
        (part) =>
          new PartDeployment(
            `${name}-${part.name}`,
            { part, values, hashKey: store.hashKey, before },
            { parent: this, provider },
          ).last,
      );
    }
    this.registerOutputs({});
  }
}
