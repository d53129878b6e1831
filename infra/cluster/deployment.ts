import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { SecretStore } from "../secrets/store.ts";
import type { KubernetesSettings } from "../settings/load.ts";
import { type Part, stages } from "../kubernetes/parts.ts";
import { PartDeployment } from "./part-deployment.ts";
import { secretManifests, valuesInUse } from "../kubernetes/secrets.ts";

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
      {
        ...(settings.context !== undefined && { context: settings.context }),
        // Else another address or certificate of the same cluster would replace every object.
        clusterIdentifier: `rejourney-${settings.stack}`,
        // A Secret gets another value without a moment in which there is none.
        enableSecretMutable: true,
      },
      { parent: this, transformations: [withoutKubeconfig] },
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

// The SDK takes the path in KUBECONFIG as an input, and so into the state, where another machine has no use for it. The
// plugin finds the kubeconfig by itself.
function withoutKubeconfig({ props, opts }: pulumi.ResourceTransformationArgs) {
  return { props: { ...(props as object), kubeconfig: undefined }, opts };
}
