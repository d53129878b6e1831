import * as pulumi from "@pulumi/pulumi";
import { type Manifest, NAMESPACE } from "../manifest.ts";
import { type Part, stepOf } from "../kubernetes/parts.ts";
import { register } from "./register.ts";
import { HASH_ANNOTATION, keysRead, secretsHash } from "../kubernetes/readers.ts";
import type { Values } from "../kubernetes/secrets.ts";

export interface PartDeploymentArgs {
  part: Part;
  values: Values;
  /** Key of the hashes by which a changed secret restarts the pods that read it, and no others. */
  hashKey: pulumi.Input<string>;
  /** What has to be there before. */
  before: readonly pulumi.Resource[];
}

/** What holds data, or holds what holds data: it is protected, and stays in the cluster when the stack goes. */
const KEPT = ["Namespace", "PersistentVolumeClaim"];

/** The objects of a part, step by step. */
export class PartDeployment extends pulumi.ComponentResource {
  /** The objects of the last step; what depends on these comes after the whole part. */
  readonly last: readonly pulumi.Resource[];

  constructor(name: string, args: PartDeploymentArgs, opts: pulumi.ComponentResourceOptions) {
    super("rejourney:kubernetes:PartDeployment", name, {}, opts);
    const { part, values, hashKey } = args;
    let before = args.before;
    for (const step of new Set(part.manifests.map(stepOf))) {
      const manifests = part.manifests.filter((manifest) => stepOf(manifest) === step);
      before = manifests.map((manifest) =>
        register(logicalName(name, manifest), withHash(manifest, values, hashKey), {
          parent: this,
          dependsOn: [...before],
          protect: KEPT.includes(manifest.kind),
          retainOnDelete: KEPT.includes(manifest.kind),
        }),
      );
    }
    this.last = before;
    this.registerOutputs({});
  }
}

// A migration's name changes with its release, so that each is a resource of its own: the old one goes only after all
// else has succeeded, and going back to it finds it there.
function logicalName(part: string, { kind, metadata }: Manifest): string {
  const kebab = kind.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase();
  const own = part.endsWith(`-${metadata.name}`) || metadata.name === NAMESPACE;
  return own ? `${part}-${kebab}` : `${part}-${kebab}-${metadata.name}`;
}

interface PodTemplate {
  metadata: object;
}

/** Puts a hash of all that pods read from Secrets into them, since Kubernetes does not restart them by itself. */
function withHash(manifest: Manifest, values: Values, hashKey: pulumi.Input<string>): Manifest {
  const spec = manifest.spec as { template?: PodTemplate } | undefined;
  const template = spec?.template;
  if (template === undefined || manifest.kind === "Job") return manifest;
  const keys = keysRead(manifest);
  const hash = pulumi
    .all([values, hashKey])
    .apply(([all, key]) => secretsHash(keys, (name) => all[name], key));
  const annotations = { [HASH_ANNOTATION]: pulumi.unsecret(hash) };
  const metadata = { ...template.metadata, annotations };
  return { ...manifest, spec: { ...spec, template: { ...template, metadata } } };
}
