import { containersOf } from "../infra/docker/containers.ts";
import { loadDockerSettings } from "../infra/settings/load.ts";
import { fileInput } from "../infra/settings/sources.ts";
import { needDocker } from "../tools/setup/docker.ts";
import type { Options } from "./main.ts";
import { Failure } from "./output.ts";
import { deployedProject, needAllWell, report, table } from "./services.ts";
import { deployedResources } from "./stack.ts";

/** Shows how each service does; fails when one is not as the stack says. Changes nothing. */
export async function status({ stack, json }: Options): Promise<void> {
  loadDockerSettings(fileInput(stack));
  const project = deployedProject(await deployedResources(stack));
  if (project === undefined)
    throw new Failure(`The stack ${stack} is down; its data and secrets are kept. Next: npm run up`);
  await needDocker();
  const services = report(project, await containersOf(project.name));
  process.stdout.write(json ? `${JSON.stringify({ stack, services })}\n` : table(services));
  needAllWell(services, project.name);
}
