import { Compose } from "../infra/docker/compose.ts";
import { loadDockerSettings } from "../infra/settings/load.ts";
import { fileInput } from "../infra/settings/sources.ts";
import { needDocker } from "../tools/setup/docker.ts";
import { ask, confirm } from "./confirm.ts";
import { inWords } from "./engine.ts";
import type { Options } from "./main.ts";
import { Failure, log } from "./output.ts";
import { Progress, summary } from "./progress.ts";
import { deployedProject, needSameProject } from "./services.ts";
import { openStack } from "./stack.ts";

export interface DownOptions extends Options {
  yes: boolean;
  deleteData: boolean;
  confirm?: string;
}

/** Removes the containers, and with `deleteData` the volumes. The secrets in the state stay. */
export async function down(options: DownOptions): Promise<void> {
  const { stack: name, json, deleteData } = options;
  const settings = loadDockerSettings(fileInput(name));
  await (deleteData ? confirmDeletion(options) : confirmRemoval(options));
  const { stack, options: run, resources } = await openStack(name);
  const deployed = deployedProject(resources);
  if (deployed !== undefined) needSameProject(deployed, settings);
  await needDocker();
  const progress = new Progress(log);
  const { onEvent } = progress;
  const destroyed = stack.destroy({ ...run, onEvent, excludeProtected: true });
  const { summary: result } = await inWords(destroyed, () => progress.failed);
  // A first run that failed has left containers which are not on record.
  await new Compose(settings.projectName).down({ volumes: deleteData });
  const changes = result.resourceChanges ?? {};
  if (json) {
    process.stdout.write(`${JSON.stringify({ stack: name, summary: changes, dataDeleted: deleteData })}\n`);
    return;
  }
  const kept = deleteData
    ? "The data is deleted. The secrets are kept, encrypted, in .rejourney; npm run up starts with an empty database."
    : "Data and secrets are kept. npm run up brings everything back.";
  process.stdout.write(`${summary(changes, true)}\n${kept}\n`);
}

async function confirmRemoval({ stack, yes }: DownOptions): Promise<void> {
  if (yes || (await confirm(`This takes down the stack ${stack}; its data and secrets stay. Go on?`))) return;
  throw new Failure(
    `Nothing was changed. To go on without being asked: npm run down -- --stack ${stack} --yes`,
  );
}

async function confirmDeletion({ stack, confirm: given }: DownOptions): Promise<void> {
  const question = `This deletes the database and all recordings of ${stack}. Type the stack's name to go on: `;
  if ((given ?? (await ask(question))) === stack) return;
  throw new Failure(
    `Nothing was changed. To delete the data without being asked: npm run down -- --stack ${stack} --delete-data --confirm ${stack}`,
  );
}
