import type { ComposeProject } from "../../infra/compose/compose-spec.ts";
import { composeProject } from "../../infra/compose/project.ts";
import { command, shownEnvFile } from "../../infra/settings/command.ts";
import type { DockerSettings } from "../../infra/settings/load.ts";
import { needOwnProject } from "../../infra/docker/own.ts";
import { dockerHost, ensureDocker } from "../../tools/setup/docker.ts";
import { apply } from "../engine/apply.ts";
import type { Deployment } from "../engine/run-plan.ts";
import { openStack } from "../engine/stack.ts";
import { confirmUnless } from "../terminal/confirm.ts";
import type { UpOptions } from "../terminal/options.ts";
import { Failure, log, print } from "../terminal/output.ts";
import { needKeysOfData } from "./existing-data.ts";
import { asksForSample, isSample, refuseOpenSample, takeImages } from "./images.ts";
import {
  beginOnHost,
  keepHost,
  needInstalledDocker,
  needItsVolumes,
  needSameHost,
  projectOnHost,
} from "./host.ts";
import { preflight } from "./preflight.ts";
import { settledServices } from "./repair.ts";
import { COMMAND_NAME, deployedProject, needSameProject, needWellContainers } from "./services.ts";

/** The deployment on a Docker host that may have nothing yet, once every check has passed that needs no Docker. */
export async function prepareSingleNode(
  settings: DockerSettings,
  { stack, json, yes, adoptHost = false }: UpOptions,
): Promise<Deployment> {
  const project = composeProject(settings);
  if (isSample(project) && settings.images.api === undefined)
    refuseOpenSample(settings, "No release is set, and the sample was used so far");
  await preflight(settings, project);
  const open = await openStack(stack, settings);
  const { resources } = open;
  const isSampleAsked = asksForSample(settings, project);
  const deployed = deployedProject(resources);
  needSameProject(projectOnHost(resources), settings);
  if (deployed !== undefined) refuseOtherData(deployed, settings, isSampleAsked);
  return {
    settings,
    open,
    ready: async () => {
      if (!adoptHost) await needInstalledDocker(stack, resources);
      await ensureDocker({ log, confirm: confirmUnless(yes) });
      await needOwnProject(project.name);
      if (!adoptHost) {
        await needSameHost(stack, resources);
        await needItsVolumes(settings, resources);
      }
      const taken = await takeImages(settings, project, resources.length > 0);
      await needKeysOfData({ ...settings, takenImages: taken }, resources);
    },
    apply: async (slots) => {
      await beginOnHost(settings, resources);
      const applied = await apply(open, settings, slots);
      await keepHost(stack, applied.resources);
      const again = applied.changed.includes(COMMAND_NAME);
      return { applied, ...(await settledServices(stack, applied.resources, again)) };
    },
    settle: async ({ applied, services, repaired }, report) => {
      applied.show({ json, services, more: { ...report, repaired } });
      needWellContainers(services, stack, settings.projectName);
      const runs = deployedProject(applied.resources)!;
      if (!json) print(nextSteps(settings, isSample(runs), await dockerHost()));
    },
  };
}

/** Throws Failure when the volumes of what is deployed are not those of what the settings ask for. */
function refuseOtherData(deployed: ComposeProject, settings: DockerSettings, isSampleAsked: boolean): void {
  if (deployed.services.storage === undefined && settings.builtInStorage)
    throw new Failure(
      "The deployment keeps its recordings in an external S3, but S3_ENDPOINT is no longer set; nothing was changed.\n" +
        `  Fix: set it in .env again; or, to start with an empty built-in S3: ${command(settings.stack, "down")}, then ${command(settings.stack, "up")}`,
    );
  const [now, then] = isSample(deployed)
    ? ["the sample application", "Rejourney"]
    : ["Rejourney", "the sample"];
  if (isSample(deployed) !== isSampleAsked)
    throw new Failure(
      `The deployment runs ${now}, and ${then} would take over its data; nothing was changed.\n` +
        `  Fix: use another stack, or delete the data first: ${command(settings.stack, "down --delete-data")}`,
    );
}

/** `elsewhere` is the Docker host when it is not this machine. */
function nextSteps(settings: DockerSettings, runsSample: boolean, elsewhere: string | undefined): string {
  const { variables, stack, domain } = settings;
  const isLocal = elsewhere === undefined || domain !== undefined;
  const place = isLocal ? "" : `, on the Docker host (${elsewhere})`;
  const verb = (words: string) => command(stack, words);
  const steps: [string, string][] = [
    [verb("status"), "shows the health of each service"],
    [
      verb("preview"),
      `shows what a change in Pulumi.${stack}.yaml or .env would do; ${verb("up")} applies it`,
    ],
    [verb("down"), "removes the containers; data and secrets stay"],
  ];
  const width = Math.max(...steps.map(([words]) => words.length));
  return [
    `Rejourney runs at ${variables.PUBLIC_DASHBOARD_URL}${place}`,
    ...(runsSample
      ? [
          "This is a sample application without authentication, not Rejourney. Use it only to try the deployment.",
          `To run Rejourney: ${verb("down --delete-data")}, echo REJOURNEY_RELEASE=<release> >> ${shownEnvFile()}, ${verb("up")}`,
        ]
      : []),
    "Next:",
    ...steps.map(([words, does]) => `  ${words.padEnd(width)}  ${does}`),
    "",
  ].join("\n");
}
