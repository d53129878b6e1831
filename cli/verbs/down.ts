import { Compose } from "../../infra/docker/compose.ts";
import { type DockerSettings, type KubernetesSettings, loadSettings } from "../../infra/settings/load.ts";
import { NAMESPACE } from "../../infra/manifest.ts";
import { command } from "../../infra/settings/command.ts";
import { fileInput } from "../../infra/settings/sources.ts";
import { needDocker } from "../../tools/setup/docker.ts";
import { ask, confirm } from "../terminal/confirm.ts";
import { inWords } from "../engine/pulumi-cli.ts";
import type { Options } from "../terminal/options.ts";
import { Failure, log, print, printJson } from "../terminal/output.ts";
import { Progress, summary } from "../engine/progress.ts";
import { deleteVolumes, needOwnProject, volumesOf } from "../../infra/docker/own.ts";
import { forgetRotation, needNoOpenRotation } from "../secrets/rotation-record.ts";
import { forgetHost, needSameHost, projectOnHost, thisHost } from "../single-node/host.ts";
import { needSameProject } from "../single-node/services.ts";
import { deployedResources, nothingDeployed, type OpenStack, openStack } from "../engine/stack.ts";

export interface DownOptions extends Options {
  yes: boolean;
  deleteData: boolean;
  confirm?: string;
}

/** Removes what runs, and with `deleteData` the volumes. The secrets in the state stay. */
export async function down(options: DownOptions): Promise<void> {
  const settings = loadSettings(fileInput(options.stack), { secrets: "as they are" });
  await (settings.target === "docker" ? downSingleNode(settings, options) : downCluster(settings, options));
}

async function downSingleNode(settings: DockerSettings, options: DownOptions): Promise<void> {
  const { stack: name, json, deleteData } = options;
  const resources = await deployedResources(name);
  const project = projectOnHost(resources);
  if (project === undefined) throw nothingDeployed(name);
  needSameProject(project, settings);
  if (!deleteData) needNoOpenRotation(resources, name);
  await needDocker();
  await needOwnProject(project);
  await needSameHost(name, resources);
  const volumes = deleteData ? await volumesOf(project) : [];
  await (deleteData ? confirmDeletion(options, volumes) : confirmRemoval(options));
  const open = await openStack(name);
  const changes = await destroyed(open);
  // A first run that failed has left containers which are not on record.
  await new Compose(project).down();
  if (deleteData) {
    await deleteVolumes(volumes);
    await forgetRotation(name, open.resources);
    await forgetHost(name, open.resources);
  }
  if (json) {
    printJson({ stack: name, summary: changes, dataDeleted: deleteData });
    return;
  }
  const kept = deleteData
    ? `The data is deleted. The secrets are kept, encrypted, in .rejourney. ${command(name, "up")} starts with an empty database.`
    : `Data and secrets are kept. ${command(name, "up")} restores everything.`;
  print(`${summary(changes, true)}\n${kept}\n`);
}

async function downCluster(settings: KubernetesSettings, options: DownOptions): Promise<void> {
  const { reachedCluster } = await import("../cluster/connection.ts");
  const { needSameCluster } = await import("../cluster/existing-data.ts");
  const { stack: name, json } = options;
  if (options.deleteData)
    throw new Failure(
      `This command does not delete the data of a cluster; nothing was changed.\n` +
        `  Fix: ${command(name, "down")}, then kubectl delete namespace ${NAMESPACE}; the volumes still keep the data: kubectl get persistentvolumes lists them, kubectl delete persistentvolume NAME removes one from the cluster, not from the disk of its node`,
    );
  if ((await deployedResources(name)).length === 0) throw nothingDeployed(name);
  await confirmRemoval(options);
  const api = await reachedCluster(settings);
  const open = await openStack(name);
  await needSameCluster(api, open.resources, settings);
  const changes = await destroyed(open);
  if (json) printJson({ stack: name, summary: changes, dataDeleted: false });
  else
    print(
      `${summary(changes, true)}\nData and secrets are kept. ${command(name, "up")} restores everything.\n`,
    );
}

/** Takes down what is not protected; how many resources that was. */
async function destroyed({ stack, options }: OpenStack): Promise<Partial<Record<string, number>>> {
  const progress = new Progress(log);
  const { onEvent } = progress;
  const run = stack.destroy({ ...options, onEvent, excludeProtected: true });
  await inWords(run, () => progress.failed);
  return progress.counts;
}

async function confirmRemoval({ stack, yes }: DownOptions): Promise<void> {
  if (yes || (await confirm(`This takes down the stack ${stack} and keeps its data and secrets. Continue?`)))
    return;
  throw new Failure(`Nothing was changed. To skip the prompt: ${command(stack, "down --yes")}`);
}

async function confirmDeletion(
  { stack, confirm: given }: DownOptions,
  volumes: readonly string[],
): Promise<void> {
  const what = volumes.length === 0 ? "" : `: the volumes ${volumes.join(", ")} on ${await thisHost()}`;
  const question = `This deletes the database and all recordings of ${stack}${what}. Type the name of the stack to continue: `;
  if ((given ?? (await ask(question))) === stack) return;
  throw new Failure(
    `Nothing was changed. To delete the data without a prompt: ${command(stack, `down --delete-data --confirm ${stack}`)}`,
  );
}
