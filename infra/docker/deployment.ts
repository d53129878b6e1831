import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { ComposeProject } from "./compose-spec.ts";
import { projectVariables } from "./project-variables.ts";

export interface DockerDeploymentArgs {
  project: ComposeProject;
}

// Plugins run in the folder of the program's entry, so the folder is relative to that: an absolute path would make a
// clone in another place a change. The packages' own Node first, since the machine's may be too old.
const FOLDER = "..";
const APPLY = `PATH="node_modules/.bin:$PATH" node infra/docker/apply.ts`;

/** The Compose project of a single node, kept in step by one command resource. */
export class DockerDeployment extends pulumi.ComponentResource {
  constructor(name: string, args: DockerDeploymentArgs, opts?: pulumi.ComponentResourceOptions) {
    super("rejourney:docker:DockerDeployment", name, {}, opts);
    new command.local.Command(
      `${name}-compose`,
      {
        create: `${APPLY} up`,
        update: `${APPLY} up`,
        delete: `${APPLY} down`,
        dir: FOLDER,
        environment: projectVariables(args.project, pulumi.getStack()),
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
