import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import type { SecretName } from "../../infra/app/secrets.ts";
import { Compose } from "../../infra/docker/compose.ts";
import {
  type Container,
  containersOf,
  removeContainer,
  stopContainer,
} from "../../infra/docker/containers.ts";
import type { ComposeProject } from "../../infra/compose/compose-spec.ts";
import { yamlText } from "../../infra/yaml.ts";
import type { DockerSettings } from "../../infra/settings/load.ts";
import { Failure, log } from "../terminal/output.ts";

/** Seconds for which a server that recovers from a crash is waited for. */
const PATIENCE = 60;

/** Where PostgreSQL keeps a project's data. */
export function postgresVolume({ name }: Pick<ComposeProject, "name">): string {
  return `${name}_postgres-data`;
}

/**
 * What the volume holds, seen by the image that is going to use it: `none` where there is no volume, or nothing in it
 * that a server has made; `ours` where the image can use it. Else the version of a server that keeps its data
 * in another place: the image would begin with an empty database.
 */
export async function databaseIn(project: ComposeProject): Promise<string> {
  const volume = postgresVolume(project);
  const { stdout } = await execa("docker", ["volume", "ls", "--quiet", `--filter=name=^${volume}$`]);
  if (stdout === "") return "none";
  const script =
    'if [ -s "$PGDATA/PG_VERSION" ]; then echo ours; else find /var/lib/postgresql -maxdepth 3 -name PG_VERSION | head -n 1 | xargs -r cat; fi';
  const { image } = project.services.postgres!;
  const mounts = ["--network=none", "--user=999:999", `--volume=${volume}:/var/lib/postgresql`];
  const found = await execa("docker", ["run", "--rm", ...mounts, "--entrypoint=sh", image, "-c", script]);
  return found.stdout === "" ? "none" : found.stdout;
}

/**
 * The rows that a query finds in the project's database, logged in with the password as the application does. A server
 * that is not running is started, and where it is of no use, stopped again. Throws Failure with the server's words when
 * it does not let the application in.
 */
export async function rowsOf(
  project: ComposeProject,
  variables: DockerSettings["variables"],
  secrets: Partial<Record<SecretName, string>>,
  query: string,
): Promise<string[]> {
  const running = await server(project);
  const { id } = running ?? (await started(project, secrets));
  try {
    return await queried(id, variables, secrets.POSTGRES_PASSWORD ?? "", query);
  } catch (error) {
    if (running === undefined) {
      await stopContainer(id);
      await removeContainer(id);
    }
    throw error;
  }
}

async function server({ name }: ComposeProject): Promise<Container | undefined> {
  const all = await containersOf(name);
  return all.find(({ service, state }) => service === "postgres" && state === "running");
}

// As `up` would start it, by the same name: two servers on one volume would destroy it.
async function started(
  project: ComposeProject,
  secrets: Partial<Record<SecretName, string>>,
): Promise<Container> {
  log("Starting PostgreSQL to check that the secrets open its data …");
  const { postgres } = project.services;
  const compose = new Compose(project.name, secrets);
  try {
    await compose.up(["postgres"], yamlText({ ...project, services: { postgres } }));
  } catch (error) {
    const told = await compose.lastLinesOf(await containersOf(project.name));
    throw new Failure([(error as Error).message, ...told].join("\n"));
  }
  return (await server(project))!;
}

async function queried(
  id: string,
  { POSTGRES_USER, POSTGRES_DB }: DockerSettings["variables"],
  password: string,
  query: string,
): Promise<string[]> {
  // Not over loopback, where the official image asks for no password. The password goes by the environment.
  const script = `exec psql -X -A -t -h "$(hostname -i | cut -d' ' -f1)" -U "$1" -d "$2" -c "$3"`;
  const command = ["sh", "-c", script, "sh", POSTGRES_USER, POSTGRES_DB, query];
  for (let second = 0; ; second++) {
    const options = { env: { PGPASSWORD: password }, reject: false } as const;
    const { exitCode, stdout, stderr } = await execa(
      "docker",
      ["exec", "--env=PGPASSWORD", id, ...command],
      options,
    );
    if (exitCode === 0) return stdout.split("\n").filter((line) => line !== "");
    if (/relation .* does not exist/.test(stderr)) return [];
    const isStarting = /starting up|shutting down|recovery mode|Connection refused/.test(stderr);
    if (!isStarting || second === PATIENCE) throw new Failure(stderr.trim().split("\n").at(-1));
    await sleep(1000);
  }
}
