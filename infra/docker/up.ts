import { MIGRATE } from "../app/catalogue.ts";
import { replaceBeside } from "./beside.ts";
import type { Compose } from "./compose.ts";
import type { ComposeProject } from "../compose/compose-spec.ts";
import { containersOf, removeContainer, removeOneOffs } from "./containers.ts";
import { yamlText } from "../yaml.ts";

const DATA = ["postgres", "redis", "storage"];

/**
 * Brings the containers to what the project says, in the order that leaves what runs running as long as something can
 * still fail: every image, the data services, the migration by itself, new containers of the application beside the old
 * ones, then the rest. Throws with the reason, the last lines of a service that did not become healthy among it.
 */
export async function up(compose: Compose, project: ComposeProject): Promise<void> {
  await removeUnstarted(project.name);
  const all = yamlText(project);
  const lasting = yamlText(withoutOneShots(project));
  await failing("An image is not available; no container was changed.", () =>
    compose.run(["pull", "--quiet", "--policy=missing"], all),
  );
  if ("prepare-volumes" in project.services) await once(compose, project.name, "prepare-volumes", all);
  const data = DATA.filter((name) => name in project.services);
  await healthy(compose, project.name, () => compose.up(data, lasting));
  await once(compose, project.name, MIGRATE.name, all);
  await replaceBeside(compose, project, besides(project), lasting);
  await healthy(compose, project.name, () => compose.up(["--remove-orphans"], lasting));
}

/** What a killed run has made and not started: it may lack networks, most of which Compose connects only after that. */
async function removeUnstarted(project: string): Promise<void> {
  const all = await containersOf(project);
  for (const { id } of all.filter(({ state }) => state === "created")) await removeContainer(id);
}

/** The services of which two containers may run: a volume has one writer, and a port of the host one owner. */
function besides({ services }: ComposeProject): string[] {
  return Object.entries(services).flatMap(([name, { restart, volumes, ports }]) =>
    restart === "no" || volumes !== undefined || ports !== undefined ? [] : [name],
  );
}

/** The services that keep running. None waits for another one: the order is given above. */
function withoutOneShots({ services, ...rest }: ComposeProject): ComposeProject {
  const lasting = Object.entries(services).filter(([, { restart }]) => restart !== "no");
  return {
    ...rest,
    services: Object.fromEntries(lasting.map(([name, service]) => [name, { ...service, depends_on: {} }])),
  };
}

async function once(compose: Compose, project: string, service: string, text: string): Promise<void> {
  await removeOneOffs(project, service);
  compose.say(`Running ${service} …`);
  await failing(`${service} failed; the services of the application are unchanged.`, () =>
    compose.run(["run", "--rm", "--no-deps", "--no-TTY", service], text),
  );
}

async function healthy(compose: Compose, project: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    const told = await compose.lastLinesOf(await containersOf(project));
    throw new Error([(error as Error).message, ...told].join("\n"));
  }
}

async function failing(what: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${what}`);
  }
}
