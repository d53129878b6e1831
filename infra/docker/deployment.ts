import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { ComposeProject } from "./compose-spec.ts";
import { yamlText } from "./yaml.ts";

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

/**
 * The project as environment variables: `SERVICE_<NAME>` for each service, `PROJECT` for the rest. Each service is an
 * input of its own, so that a preview shows which one changes, and how.
 */
export function projectVariables(
  { services, ...project }: ComposeProject,
  stack: string,
): Record<string, string> {
  return {
    STACK: stack,
    PROJECT: yamlText(project),
    ...Object.fromEntries(
      Object.entries(services).map(([name, service]) => [
        `SERVICE_${name.toUpperCase().replaceAll("-", "_")}`,
        yamlText({ [name]: service }),
      ]),
    ),
  };
}
