import { containersOf } from "../../infra/docker/containers.ts";
import { command } from "../../infra/settings/command.ts";
import { type DockerSettings, type KubernetesSettings, loadSettings } from "../../infra/settings/load.ts";
import { fileInput } from "../../infra/settings/sources.ts";
import { needDocker } from "../../tools/setup/docker.ts";
import type { Options } from "../terminal/options.ts";
import { Failure, print, printJson } from "../terminal/output.ts";
import { needSameHost } from "../single-node/host.ts";
import { deployedProject, needWellContainers, report } from "../single-node/services.ts";
import { type ServiceReport, table } from "../terminal/service-report.ts";
import { deployedResources, nothingDeployed, type Resource } from "../engine/stack.ts";

/** Shows how each service does; fails when one is not as the stack says. Changes nothing. */
export async function status({ stack, json }: Options): Promise<void> {
  const settings = loadSettings(fileInput(stack), { secrets: "as they are" });
  const resources = await deployedResources(stack);
  if (resources.length === 0) throw nothingDeployed(stack);
  const { services, needWell } =
    settings.target === "docker" ? await containers(settings, resources) : await pods(settings, resources);
  if (json) printJson({ stack, services });
  else print(table(services));
  await needWell();
}

interface Found {
  services: ServiceReport[];
  /** Throws Failure when a service is not as the stack says. */
  needWell: () => void | Promise<void>;
}

async function containers(settings: DockerSettings, resources: readonly Resource[]): Promise<Found> {
  const { stack } = settings;
  const project = deployedProject(resources);
  if (project === undefined) throw down(stack);
  await needDocker();
  await needSameHost(stack, resources);
  const services = report(project, await containersOf(project.name));
  return { services, needWell: () => needWellContainers(services, stack, project.name) };
}

async function pods(settings: KubernetesSettings, resources: readonly Resource[]): Promise<Found> {
  const { reachedCluster } = await import("../cluster/connection.ts");
  const { needSameCluster } = await import("../cluster/existing-data.ts");
  const { clusterServices, needWellPods } = await import("../cluster/services.ts");
  const { stack } = settings;
  const api = await reachedCluster(settings);
  await needSameCluster(api, resources, settings);
  const services = await clusterServices(api, resources);
  if (services.length === 0) throw down(stack);
  return { services, needWell: () => needWellPods(services, stack, api) };
}

function down(stack: string): Failure {
  return new Failure(
    `The stack ${stack} is down; its data and secrets are kept. Next: ${command(stack, "up")}`,
  );
}
