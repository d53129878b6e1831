import { GENERATED_SECRETS, type SecretName } from "../../infra/app/secrets.ts";
import type { ComposeProject } from "../../infra/compose/compose-spec.ts";
import { composeProject } from "../../infra/compose/project.ts";
import { command } from "../../infra/settings/command.ts";
import type { DockerSettings } from "../../infra/settings/load.ts";
import { volumesOf } from "../../infra/docker/own.ts";
import { openKeyRef } from "../../infra/storage/key-ref.ts";
import { databaseIn, postgresVolume, rowsOf } from "./database.ts";
import { projectOnHost } from "./host.ts";
import { Failure, log } from "../terminal/output.ts";
import { bundleName } from "../state/recovery-bundle.ts";
import { rotationsIn } from "../secrets/rotation-record.ts";
import { secretsInUse } from "../engine/secret-slots.ts";
import type { Resource } from "../engine/stack.ts";

const ANOTHER_COPY = "if another copy of this project deployed it";

type Secrets = Partial<Record<SecretName, string>>;

/**
 * Where there is a database already: throws Failure unless the secrets that are going to be used open it. So a lost
 * state or `.env` never makes new ones for it, and no wrong password gets into the state.
 */
export async function needKeysOfData(
  settings: DockerSettings,
  resources: readonly Resource[],
): Promise<void> {
  // In the middle of a rotation, the data may have one value or the other; the command that resumes it checks the data itself.
  if (rotationsIn(resources).open?.isApplied === false) return;
  const project = composeProject(settings);
  const found = await databaseIn(project);
  if (found === "none") return needNoVolumes(project.name, resources);
  if (found !== "ours")
    throw new Failure(
      `The volume ${postgresVolume(project)} holds a database of PostgreSQL ${found}, but the postgres image would not find it and would start with an empty one; nothing was changed.\n` +
        `  Fix: set rejourney:images back to an image of PostgreSQL ${found}`,
    );
  const inUse = resources.length === 0 ? {} : await secretsInUse(settings.stack);
  const isKnown = inUse.POSTGRES_PASSWORD !== undefined;
  const secrets: Secrets = { ...settings.secrets, ...inUse };
  const missing = GENERATED_SECRETS.filter((name) => secrets[name] === undefined);
  if (!isKnown && missing.length > 0) throw lost(settings, project, missing);
  await needOpens(settings, project, secrets, isKnown ? "the state" : "the settings");
}

/** Throws Failure when a stack that is on no host finds volumes of its project: they are somebody else's, or of another time. */
async function needNoVolumes(project: string, resources: readonly Resource[]): Promise<void> {
  if (projectOnHost(resources) !== undefined) return;
  const volumes = await volumesOf(project);
  if (volumes.length === 0) return;
  throw new Failure(
    `The Docker host has volumes of a project named ${project}, and no database in them that this stack made: ${volumes.join(", ")}; nothing was changed.\n` +
      `  Fix: set rejourney:projectName to another name; or, if you do not need what is in them: docker volume rm ${volumes.join(" ")}`,
  );
}

function lost({ stack }: DockerSettings, project: ComposeProject, missing: readonly SecretName[]): Failure {
  const bundle = bundleName(stack);
  return new Failure(
    `The volume ${postgresVolume(project)} holds a database, and this project has no state with its secrets. ${missing.join(", ")}: missing in .env, and new values would not open it. Nothing was changed.\n` +
      ways([
        ["if you have the recovery bundle", `npx rejourney recover ${bundle} --key recovery.key`],
        ["if you have the .env that it ran with", `put it back, then ${command(stack, "up")}`],
        [
          "if you have only POSTGRES_PASSWORD and STORAGE_ENCRYPTION_KEY",
          `put them into .env, ${command(stack, "secrets generate")}, ${command(stack, "up")}`,
        ],
        [
          ANOTHER_COPY,
          `run ${command(stack, "up")} there; or set rejourney:projectName here for a separate deployment`,
        ],
        ["if you do not need the data", `docker compose -p ${project.name} down --volumes`],
      ]),
  );
}

async function needOpens(
  settings: DockerSettings,
  project: ComposeProject,
  secrets: Secrets,
  source: string,
): Promise<void> {
  let rows: string[];
  try {
    rows = await rowsOf(
      project,
      settings.variables,
      secrets,
      "select id, key_ref from storage_endpoints where key_ref is not null",
    );
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(
      `POSTGRES_PASSWORD in ${source} does not open the database in the volume ${postgresVolume(project)}; nothing was changed. PostgreSQL says: ${error.message}\n` +
        otherSecrets(settings),
    );
  }
  const key = secrets.STORAGE_ENCRYPTION_KEY ?? "";
  const closed = rows.map((row) => row.split("|") as [string, string]).filter(([, ref]) => !opens(ref, key));
  if (closed.length === 0) return;
  const ids = closed.map(([id]) => id).join(", ");
  if (closed.length === rows.length)
    throw new Failure(
      `STORAGE_ENCRYPTION_KEY in ${source} decrypts no key_ref of storage_endpoints (rows ${ids}); nothing was changed.\n` +
        otherSecrets(settings),
    );
  log(
    `Warning: STORAGE_ENCRYPTION_KEY does not decrypt the key_ref of these rows of storage_endpoints: ${ids}`,
  );
}

function otherSecrets({ stack }: DockerSettings): string {
  return ways([
    [
      ANOTHER_COPY,
      `run ${command(stack, "up")} there; or set rejourney:projectName here for a separate deployment`,
    ],
    [
      "if the state is outdated",
      `move .rejourney away, then npx rejourney recover ${bundleName(stack)} --key recovery.key`,
    ],
  ]);
}

function ways(ways: readonly (readonly [string, string])[]): string {
  return ways.map(([when, command]) => `  Fix, ${when}: ${command}`).join("\n");
}

function opens(keyRef: string, key: string): boolean {
  try {
    openKeyRef(keyRef, key);
    return true;
  } catch {
    return false;
  }
}
