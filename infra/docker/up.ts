import { MIGRATE } from "../app/catalogue.ts";
import type { Compose } from "./compose.ts";
import type { ComposeProject } from "./compose-spec.ts";
import { containersOf, isWell, statusOf } from "./containers.ts";
import { yamlText } from "./yaml.ts";

const DATA = ["postgres", "redis", "storage"];
/** Seconds; a service is called ill 90 seconds after its start at the latest. */
const WAIT = ["--detach", "--no-deps", "--wait", "--wait-timeout=300"];
const SHOWN_LINES = 15;

/**
 * Brings the containers to what the project says, in the order that leaves what runs running as long as something can
 * still fail: every image, the data services, the migration by itself, then the rest. Throws with the reason, the last
 * lines of a service that did not become healthy among it.
 */
export async function up(compose: Compose, project: ComposeProject): Promise<void> {
  const all = yamlText(project);
  const lasting = yamlText(withoutOneShots(project));
  await failing("An image cannot be had; no container was touched.", () =>
    compose.run(["pull", "--quiet", "--policy=missing"], all),
  );
  if ("prepare-volumes" in project.services) await once(compose, "prepare-volumes", all);
  const data = DATA.filter((name) => name in project.services);
  await healthy(compose, project.name, () => compose.run(["up", ...WAIT, ...data], lasting));
  await once(compose, MIGRATE.name, all);
  await healthy(compose, project.name, () => compose.run(["up", ...WAIT, "--remove-orphans"], lasting));
}

/** The services that keep running. None waits for another one: the order is given above. */
function withoutOneShots({ services, ...rest }: ComposeProject): ComposeProject {
  const lasting = Object.entries(services).filter(([, { restart }]) => restart !== "no");
  return {
    ...rest,
    services: Object.fromEntries(lasting.map(([name, service]) => [name, { ...service, depends_on: {} }])),
  };
}

async function once(compose: Compose, service: string, text: string): Promise<void> {
  compose.say(`Running ${service} …`);
  await failing(`${service} failed; the services of the application were left as they were.`, () =>
    compose.run(["run", "--rm", "--no-deps", "--no-TTY", service], text),
  );
}

async function healthy(compose: Compose, project: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    const ill = (await containersOf(project)).filter((container) => !isWell(container));
    const told = ill.map(async (container) => {
      const lines = await compose.lastLines(container.id, SHOWN_LINES);
      return `${container.service} is ${statusOf(container)}; its last lines:\n${lines}`;
    });
    throw new Error([(error as Error).message, ...(await Promise.all(told))].join("\n"));
  }
}

async function failing(what: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${what}`);
  }
}
