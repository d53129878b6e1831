import type { ComposeProject } from "../../infra/compose/compose-spec.ts";
import { type Container, isWell, statusOf } from "../../infra/docker/containers.ts";
import { projectOf } from "../../infra/compose/project-variables.ts";
import type { DockerSettings } from "../../infra/settings/load.ts";
import type { Resource } from "../engine/stack.ts";
import { Failure } from "../terminal/output.ts";
import { needAllWell, type ServiceReport } from "../terminal/service-report.ts";

/** The name of the resource that keeps the containers in step. */
export const COMMAND_NAME = "rejourney-compose";

/** The resource that keeps the containers in step. */
export function commandOf(resources: readonly Resource[]): Resource | undefined {
  return resources.find(({ urn }) => urn.endsWith(`::${COMMAND_NAME}`));
}

/** The Compose project that is deployed, by the state; undefined when none is. */
export function deployedProject(resources: readonly Resource[]): ComposeProject | undefined {
  const command = commandOf(resources);
  return command && projectOf(command.inputs!.environment as NodeJS.ProcessEnv);
}

/**
 * Throws Failure when another project is deployed than the settings name. Volumes bear its name: `up` would start with
 * an empty database, and `down` reach for another deployment's data.
 */
export function needSameProject(deployed: string | undefined, { projectName, stack }: DockerSettings): void {
  if (deployed === undefined || deployed === projectName) return;
  throw new Failure(
    `rejourney:projectName is ${projectName}, but the deployed project is ${deployed}, with its data; nothing was changed.\n` +
      `  Fix: set it back to ${deployed} in Pulumi.${stack}.yaml, or use another stack`,
  );
}

/** Compares what runs with what was deployed, service by service. */
export function report({ services }: ComposeProject, containers: readonly Container[]): ServiceReport[] {
  return Object.entries(services)
    .filter(([, { restart }]) => restart !== "no")
    .map(([service, { image, scale = 1 }]) => {
      const own = containers.filter((container) => container.service === service);
      const unhealthy = own.find((container) => !isWell(container)) ?? own[0];
      return {
        service,
        status: unhealthy === undefined ? (scale === 0 ? "off" : "missing") : statusOf(unhealthy),
        image: unhealthy?.image ?? image,
        restarts: own.reduce((sum, { restarts }) => sum + restarts, 0),
        trouble: trouble(own, image, scale),
      };
    });
}

function trouble(own: readonly Container[], image: string, scale: number): string {
  const other = own.find((container) => container.image !== image);
  return [
    ...(own.length === scale ? [] : [own.length === 0 ? "missing" : `${own.length} of ${scale} containers`]),
    ...(other === undefined ? [] : [`runs ${other.image} instead of ${image}`]),
    ...own.filter((container) => !isWell(container)).map(statusOf),
  ].join(", ");
}

/** Throws Failure, with what fixes it, when a service of a Compose project is not as the stack says. */
export function needWellContainers(services: readonly ServiceReport[], stack: string, project: string): void {
  needAllWell(services, { stack, tells: (service) => `docker compose -p ${project} logs ${service}` });
}
