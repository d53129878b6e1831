import { engineId, HOST_RECORD } from "../../infra/docker/host.ts";
import { volumesOf } from "../../infra/docker/own.ts";
import { command } from "../../infra/settings/command.ts";
import type { DockerSettings } from "../../infra/settings/load.ts";
import { isOnPath } from "../../tools/setup/apt.ts";
import { dockerHost } from "../../tools/setup/docker.ts";
import { editStashes } from "../engine/edit-state.ts";
import { outputOf } from "../engine/secret-slots.ts";
import { exportedText, type Resource } from "../engine/stack.ts";
import { writeBundle } from "../state/recovery-bundle.ts";
import { Failure } from "../terminal/output.ts";
import { postgresVolume } from "./database.ts";
import { deployedProject } from "./services.ts";

/**
 * Throws Failure when this is not the Docker host that the stack is on, or when its database is not there: all services
 * would start with the stack's secrets and an empty database.
 */
export async function needSameHost(
  { stack, projectName }: DockerSettings,
  resources: readonly Resource[],
): Promise<void> {
  const recorded = recordedEngine(resources);
  const id = await engineId();
  if (recorded !== undefined && recorded !== id)
    throw new Failure(
      `${await thisHost()} is not the Docker host of the stack ${stack}: its engine is ${id}, and the stack is on ${recorded}; nothing was changed.\n` +
        `  Fix: set DOCKER_HOST, or use docker context use, to reach that host\n` +
        `  If this host replaces it: ${command(stack, "up --adopt-host")}`,
    );
  const volume = postgresVolume({ name: projectName });
  if (!isOnHost(resources) || (await volumesOf(projectName)).includes(volume)) return;
  throw new Failure(
    `The volume ${volume} of the stack ${stack} is not on ${await thisHost()}, so the stack would start with an empty database; nothing was changed.\n` +
      `  Fix: set DOCKER_HOST, or use docker context use, to reach the Docker host of the stack; or restore the volume\n` +
      `  To start with an empty database: ${command(stack, "up --adopt-host")}`,
  );
}

/** Throws Failure where a stack that is on a Docker host would have one installed here. */
export async function needInstalledDocker(stack: string, resources: readonly Resource[]): Promise<void> {
  if (!isOnHost(resources) || (await dockerHost()) !== undefined || (await isOnPath("dockerd"))) return;
  throw new Failure(
    `The stack ${stack} is deployed, and this machine has no Docker Engine; nothing was changed.\n` +
      `  Fix: set DOCKER_HOST, or use docker context use, to reach the Docker host of the stack\n` +
      `  If this machine replaces it: ${command(stack, "up --adopt-host")}`,
  );
}

/** Keeps in the state, and in the recovery bundle, which Docker host the stack is on. */
export async function keepHost(stack: string, resources: readonly Resource[]): Promise<void> {
  const id = await engineId();
  if (recordedEngine(resources) === id) return;
  await editStashes(stack, { [HOST_RECORD]: id }, () => undefined);
  await writeBundle(stack, await exportedText(stack));
}

/** Forgets it, once the stack has no data there. */
export async function forgetHost(stack: string, resources: readonly Resource[]): Promise<void> {
  if (recordedEngine(resources) !== undefined)
    await editStashes(stack, { [HOST_RECORD]: "" }, () => undefined);
}

/** The id of the engine that the stack is on, as far as the state knows it. */
function recordedEngine(resources: readonly Resource[]): string | undefined {
  return outputOf(resources, HOST_RECORD, "output") || undefined;
}

/** The Docker host in use, as a message names it. */
export async function thisHost(): Promise<string> {
  return (await dockerHost()) ?? "this machine";
}

/** True once the stack has data on a Docker host. */
function isOnHost(resources: readonly Resource[]): boolean {
  return deployedProject(resources) !== undefined || recordedEngine(resources) !== undefined;
}
