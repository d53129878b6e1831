import { execa } from "execa";

/** Every volume that a project of this program may have, by its name within the project; the database is the last. */
const VOLUMES = ["traefik-certificates", "redis-data", "storage-data", "postgres-data"];

/** Compose notes on a container which file its project came from. This program hands every project to standard input. */
const SOURCE = "com.docker.compose.project.config_files";
const STANDARD_INPUT = "-";

/** What stands against a change of a project on its Docker host, in words for people. */
export class ProjectError extends Error {}

/**
 * Throws ProjectError when the Docker host has containers or volumes of this project that this program did not make:
 * Compose would replace or remove them. No label of this program's own marks a volume: Compose offers to recreate,
 * empty, a volume whose labels change.
 */
export async function needOwnProject(project: string): Promise<void> {
  const found = [...(await foreignContainers(project)), ...(await foreignVolumes(project))];
  if (found.length === 0) return;
  throw new ProjectError(
    `The Docker host has a project named ${project} that this program did not create: ${found.join(", ")}; nothing was changed.\n` +
      "  Fix: before the first up, set rejourney:projectName to another name; else remove them with the files that they came from",
  );
}

/** The volumes of a project that there are, by their names on the Docker host. */
export async function volumesOf(project: string): Promise<string[]> {
  const all = await lines(["volume", "ls", "--format={{.Name}}", `--filter=name=^${project}_`]);
  return VOLUMES.map((volume) => `${project}_${volume}`).filter((name) => all.includes(name));
}

/** Deletes volumes, with what is in them, in this order. Throws with Docker's words when one is in use. */
export async function deleteVolumes(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const { failed, stderr } = await execa("docker", ["volume", "rm", name], { reject: false });
    if (failed)
      throw new ProjectError(
        `Docker does not delete the volume ${name}: ${stderr.replace(/^Error response from daemon: /, "")}\n` +
          "  Fix: remove the container that uses it, then retry",
      );
  }
}

/** The containers of a project that Compose keeps running, each with the file that it came from. */
async function sources(project: string): Promise<[name: string, source: string][]> {
  const filters = [`project=${project}`, "oneoff=False"].map(
    (label) => `--filter=label=com.docker.compose.${label}`,
  );
  const format = `--format={{.Names}}\t{{.Label "${SOURCE}"}}`;
  const all = await lines(["ps", "--all", ...filters, format]);
  return all.map((line) => line.split("\t") as [string, string]);
}

async function foreignContainers(project: string): Promise<string[]> {
  const all = await sources(project);
  return all.flatMap(([name, source]) => (source === STANDARD_INPUT ? [] : [`container ${name}`]));
}

async function foreignVolumes(project: string): Promise<string[]> {
  const filter = `--filter=label=com.docker.compose.project=${project}`;
  const all = await lines(["volume", "ls", filter, "--format={{.Name}}"]);
  const own = new Set(await volumesOf(project));
  return all.filter((name) => !own.has(name)).map((name) => `volume ${name}`);
}

async function lines(args: readonly string[]): Promise<string[]> {
  const { stdout } = await execa("docker", args);
  return stdout.split("\n").filter((line) => line !== "");
}
