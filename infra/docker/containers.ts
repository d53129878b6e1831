import { execa } from "execa";

/** A container of a Compose project. */
export interface Container {
  id: string;
  service: string;
  /** As Docker names it: `created`, `running`, `restarting`, `exited`, … */
  state: string;
  /** `starting`, `healthy` or `unhealthy`; empty without a health check, and before the first start. */
  health: string;
  image: string;
  /** How often its restart policy has started it again. */
  restarts: number;
  /** Compose's hash of the service that it was made from. */
  configHash: string;
}

interface Inspected {
  Id: string;
  RestartCount: number;
  State: { Status: string; Health?: { Status: string } };
  Config: { Image: string; Labels: Record<string, string> };
}

/** The project's containers, running or not, without those of a single `docker compose run`. */
export async function containersOf(project: string): Promise<Container[]> {
  const ids = await idsOf(project, "oneoff=False");
  if (ids.length === 0) return [];
  const { stdout } = await execa("docker", ["inspect", "--type=container", ...ids]);
  return (JSON.parse(stdout) as Inspected[]).map(({ Id, RestartCount, State, Config }) => ({
    id: Id,
    service: Config.Labels["com.docker.compose.service"] ?? "",
    state: State.Status,
    health: State.Health?.Status ?? "",
    image: Config.Image,
    restarts: RestartCount,
    configHash: Config.Labels["com.docker.compose.config-hash"] ?? "",
  }));
}

/** Ends and removes what is left of a `docker compose run` of this service: one that was killed leaves its container. */
export async function removeOneOffs(project: string, service: string): Promise<void> {
  for (const id of await idsOf(project, "oneoff=True", `service=${service}`)) {
    // One that has started goes when it ends, so it may be gone before it is removed here.
    await execa("docker", ["stop", id], { reject: false });
    await execa("docker", ["rm", "--force", id], { reject: false });
  }
}

async function idsOf(project: string, ...labels: readonly string[]): Promise<string[]> {
  const filters = [`project=${project}`, ...labels].map(
    (label) => `--filter=label=com.docker.compose.${label}`,
  );
  const { stdout } = await execa("docker", ["ps", "--all", "--quiet", "--no-trunc", ...filters]);
  return stdout === "" ? [] : stdout.split("\n");
}

/** Ends a container's process, which gets the time to end that its service has. */
export async function stopContainer(id: string): Promise<void> {
  await execa("docker", ["stop", id]);
}

/** Removes a container, running or not. */
export async function removeContainer(id: string): Promise<void> {
  await execa("docker", ["rm", "--force", id]);
}

/** True for a container that runs and whose health check passes; every service has one. */
export function isWell({ state, health }: Container): boolean {
  return state === "running" && health === "healthy";
}

/** The health of a container, or its state where that says more. */
export function statusOf({ state, health }: Container): string {
  return state === "running" && health !== "" ? health : state;
}
