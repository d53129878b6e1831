import type { ComposeProject } from "../../infra/docker/compose-spec.ts";
import type { DockerSettings } from "../../infra/settings/load.ts";
import { dockerHost, ensureDocker } from "../../tools/setup/docker.ts";
import { apply } from "../engine/apply.ts";
import { confirmUnless } from "../terminal/confirm.ts";
import { needKeysOfData } from "./existing-data.ts";
import { asksForSample, isSample, takeImages } from "./images.ts";
import { Failure, log } from "../terminal/output.ts";
import { preflight } from "./preflight.ts";
import { settledServices } from "./repair.ts";
import {
  areWell,
  COMMAND_NAME,
  deployedProject,
  needSameProject,
  needWellContainers,
} from "../terminal/service-report.ts";
import { openStack } from "../engine/stack.ts";
import { type Choose, emptySlots, type UpOptions } from "../verbs/up.ts";

/**
 * Brings the stack to what the settings say, on a machine that may have nothing yet, and ends with the health of every
 * service. Every check that can fail comes before the first change.
 */
export async function upSingleNode(
  first: DockerSettings,
  { stack: name, json, yes }: UpOptions,
  choose: Choose = emptySlots,
): Promise<void> {
  await preflight(first);
  const open = await openStack(name);
  const deployed = deployedProject(open.resources);
  if (deployed !== undefined) refuseOtherData(deployed, first);
  const choice = await choose(open, first);
  if (choice === undefined) return;
  await ensureDocker({ log, confirm: confirmUnless(yes) });
  const settings = await takeImages(first, open.resources.length > 0);
  await needKeysOfData(settings, open.resources);
  await choice.before?.();
  const applied = await apply(open, settings, choice.slots);
  const again = applied.changed.includes(COMMAND_NAME);
  const { services, repaired } = await settledServices(name, applied.resources, again);
  if (areWell(services)) await choice.after?.();
  applied.show({ json, services, more: { ...choice.report, repaired } });
  needWellContainers(services, name, settings.projectName);
  if (!json) process.stdout.write(nextSteps(settings, await dockerHost()));
}

/** Throws Failure when the volumes of what is deployed are not those of what the settings ask for. */
function refuseOtherData(deployed: ComposeProject, settings: DockerSettings): void {
  needSameProject(deployed, settings);
  if (deployed.services.storage === undefined && settings.builtInStorage)
    throw new Failure(
      "What runs keeps its recordings in an external S3, and S3_ENDPOINT is not set any more; nothing was changed.\n" +
        "  Mend: put it back into .env; or, to start with an empty built-in S3: npm run down, then npm run up",
    );
  const [now, then] = isSample(deployed)
    ? ["the sample application", "Rejourney"]
    : ["Rejourney", "the sample"];
  if (isSample(deployed) !== asksForSample(settings))
    throw new Failure(
      `What runs is ${now}, and ${then} would take over its data; nothing was changed.\n` +
        `  Mend: use another stack beside this one, or delete the data first: npm run down -- --stack ${settings.stack} --delete-data`,
    );
}

/** `elsewhere` is the Docker host when it is not this machine. */
function nextSteps(settings: DockerSettings, elsewhere: string | undefined): string {
  const { variables, stack, domain } = settings;
  const isLocal = elsewhere === undefined || domain !== undefined;
  const place = isLocal ? "" : `, on the Docker host itself (${elsewhere})`;
  const flags = stack === "selfhosted" ? "" : ` -- --stack ${stack}`;
  const verb = (name: string) => `npm run ${name}${flags}`;
  const steps = [
    [verb("status"), "how each service does"],
    [verb("preview"), `what a change in Pulumi.${stack}.yaml or .env would do; npm run up does it`],
    [verb("down"), "removes the containers; data and secrets stay"],
  ];
  return [
    `Rejourney answers at ${variables.PUBLIC_DASHBOARD_URL}${place}`,
    ...(asksForSample(settings)
      ? [
          "It is a sample application in Rejourney's place, without authentication: for a try alone.",
          `To run Rejourney: ${verb("down")}${flags === "" ? " --" : ""} --delete-data, echo REJOURNEY_RELEASE=<release> >> .env, npm run up`,
        ]
      : []),
    "Next:",
    ...steps.map(([command, does]) => `  ${command!.padEnd(16)}  ${does}`),
    "",
  ].join("\n");
}
