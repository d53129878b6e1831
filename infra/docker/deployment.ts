import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { connectionUrlsOf } from "../app/connections.ts";
import type { SecretName } from "../app/secrets.ts";
import { keyedHash } from "../secrets/hash.ts";
import type { SecretStore } from "../secrets/store.ts";
import type { DockerSettings } from "../settings/load.ts";
import { composeProject } from "../compose/project.ts";
import { hashVariable, projectVariables } from "../compose/project-variables.ts";
import { secretsIn } from "../compose/references.ts";

export interface DockerDeploymentArgs {
  settings: DockerSettings;
  store: SecretStore;
}

// Plugins run in the folder of the program's entry, so the folder is relative to that: an absolute path would make a
// clone in another place a change. The packages' own Node first, since the machine's may be too old.
const FOLDER = "..";
const APPLY = `PATH="node_modules/.bin:$PATH" node infra/docker/apply.ts`;

/**
 * The Compose project of a single node, kept in step by one command resource. What is not secret is plain text, so that
 * a preview shows it; the secrets go in by standard input, and a keyed hash for each service shows that its own changed.
 * An update runs beside what is there: `triggers` would take the project down first. Volumes outlive the resource.
 */
export class DockerDeployment extends pulumi.ComponentResource {
  constructor(
    name: string,
    { settings, store }: DockerDeploymentArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("rejourney:docker:DockerDeployment", name, {}, opts);
    const project = composeProject(settings);
    const hashes = Object.entries(project.services).flatMap(([service, text]) => {
      const names = secretsIn(text);
      return names.length === 0 ? [] : [[hashVariable(service), hashOf(names, store)] as const];
    });
    new command.local.Command(
      `${name}-compose`,
      {
        create: `${APPLY} up`,
        update: `${APPLY} up`,
        delete: `${APPLY} down`,
        dir: FOLDER,
        environment: { ...projectVariables(project), ...Object.fromEntries(hashes) },
        stdin: pulumi.secret(
          pulumi
            .all(store.values)
            .apply((values) =>
              JSON.stringify({ ...values, ...connectionUrlsOf(settings.variables, values) }),
            ),
        ),
      },
      {
        parent: this,
        // What is kept of the command's output is free of secrets already; this is the second lock.
        additionalSecretOutputs: ["stdout", "stderr"],
        customTimeouts: { create: "30m", update: "30m", delete: "10m" },
      },
    );
    this.registerOutputs({});
  }
}

function hashOf(names: readonly SecretName[], { hashKey, values }: SecretStore): pulumi.Output<string> {
  const inUse = pulumi.all(names.map((name) => values[name]));
  return pulumi.unsecret(pulumi.all([hashKey, inUse]).apply(([key, texts]) => keyedHash(key, texts)));
}
