import { type DockerHost, engineId, HOST_RECORD } from "../../infra/docker/host.ts";
import { volumesOf } from "../../infra/docker/own.ts";
import { command } from "../../infra/settings/command.ts";
import type { DockerSettings } from "../../infra/settings/load.ts";
import { HOST_VARIABLE } from "../../infra/settings/sources.ts";
import { isOnPath } from "../../tools/setup/apt.ts";
import { dockerHost } from "../../tools/setup/docker.ts";
import { editStashes } from "../engine/edit-state.ts";
import { exportedText, type Resource } from "../engine/stack.ts";
import { writeBundle } from "../state/recovery-bundle.ts";
import { Failure } from "../terminal/output.ts";
import { postgresVolume } from "./database.ts";
import { deployedProject } from "./services.ts";

/** Throws Failure when this is not the Docker host that the stack is on. */
export async function needSameHost(stack: string, resources: readonly Resource[]): Promise<void> {
  const recorded = hostOf(resources)?.engine;
  const id = await engineId();
  if (recorded === undefined || recorded === id) return;
  throw new Failure(
    `${await thisHost()} is not the Docker host of the stack ${stack}: its engine is ${id}, and the stack is on ${recorded}; nothing was changed.\n` +
      `  Fix: set DOCKER_HOST, or use docker context use, to reach that host\n` +
      `  If this host replaces it: ${command(stack, "up --adopt-host")}`,
  );
}

/**
 * Throws Failure when the database of the stack is not there, or when a stack without one finds volumes of its project: it
 * would start with an empty database, or with somebody else's data.
 */
export async function needItsVolumes(
  { stack, projectName }: DockerSettings,
  resources: readonly Resource[],
): Promise<void> {
  const volume = postgresVolume({ name: projectName });
  const found = await volumesOf(projectName);
  const hasData = deployedProject(resources) !== undefined || hostOf(resources)?.hasData === true;
  if (!hasData || found.includes(volume)) return;
  throw new Failure(
    `The volume ${volume} of the stack ${stack} is not on ${await thisHost()}, so the stack would start with an empty database; nothing was changed.\n` +
      `  Fix: set DOCKER_HOST, or use docker context use, to reach the Docker host of the stack; or restore the volume\n` +
      `  To start with an empty database: ${command(stack, "up --adopt-host")}`,
  );
}

/** Throws Failure where a stack that is on a Docker host would have one installed here. */
export async function needInstalledDocker(stack: string, resources: readonly Resource[]): Promise<void> {
  if (
    projectOnHost(resources) === undefined ||
    (await dockerHost()) !== undefined ||
    (await isOnPath("dockerd"))
  )
    return;
  throw new Failure(
    `The stack ${stack} is deployed, and this machine has no Docker Engine; nothing was changed.\n` +
      `  Fix: set DOCKER_HOST, or use docker context use, to reach the Docker host of the stack\n` +
      `  If this machine replaces it: ${command(stack, "up --adopt-host")}`,
  );
}

/** Keeps in the state which Docker host the stack is on from now on, before anything is made there. */
export async function beginOnHost(
  { stack, projectName }: DockerSettings,
  resources: readonly Resource[],
): Promise<void> {
  const engine = await engineId();
  const host: DockerHost = { engine, project: projectName };
  // A run that makes the record takes it from here.
  process.env[HOST_VARIABLE] = JSON.stringify(host);
  if (recordIn(resources) !== undefined && hostOf(resources)?.engine !== engine) await write(stack, host);
}

/** Keeps in the state, and in the recovery bundle, that it has a database there. */
export async function keepHost(stack: string, resources: readonly Resource[]): Promise<void> {
  const host = hostOf(resources);
  if (host === undefined || host.hasData) return;
  await write(stack, { ...host, hasData: true });
  await writeBundle(stack, await exportedText(stack));
}

/** Forgets it, once the stack has no data there. */
export async function forgetHost(stack: string, resources: readonly Resource[]): Promise<void> {
  if (hostOf(resources) !== undefined) await write(stack, {});
}

function write(stack: string, host: DockerHost | Record<string, never>): Promise<void> {
  return editStashes(stack, { [HOST_RECORD]: host }, () => undefined);
}

/** The Docker host that the stack is on, as far as the state knows it. */
function hostOf(resources: readonly Resource[]): DockerHost | undefined {
  const record = recordIn(resources);
  return record?.engine === undefined ? undefined : (record as DockerHost);
}

function recordIn(resources: readonly Resource[]): Partial<DockerHost> | undefined {
  const { outputs } = resources.find(({ urn }) => urn.endsWith(`::${HOST_RECORD}`)) ?? {};
  return outputs?.output as Partial<DockerHost> | undefined;
}

/** The Docker host in use, as a message names it. */
export async function thisHost(): Promise<string> {
  return (await dockerHost()) ?? "this machine";
}

/** The name of the Compose project that the stack has on a Docker host; undefined where it has none. */
export function projectOnHost(resources: readonly Resource[]): string | undefined {
  return deployedProject(resources)?.name ?? hostOf(resources)?.project;
}
