import type { ComposeProject } from "../infra/docker/compose-spec.ts";
import { type DockerSettings, loadDockerSettings } from "../infra/settings/load.ts";
import { fileInput } from "../infra/settings/sources.ts";
import { dockerHost, ensureDocker } from "../tools/setup/docker.ts";
import { confirmUnless } from "./confirm.ts";
import { inWords, pulumi } from "./engine.ts";
import { asksForSample, isSample, takeImages } from "./images.ts";
import { needKeysOfData } from "./existing-data.ts";
import type { Options } from "./main.ts";
import { Failure, log } from "./output.ts";
import { type Change, Progress, shown, summary } from "./progress.ts";
import { preflight } from "./preflight.ts";
import { writeBundle } from "./recovery.ts";
import { settledServices } from "./repair.ts";
import { COMMAND_NAME, deployedProject, needAllWell, needSameProject, table } from "./services.ts";
import { exportedText, type OpenStack, openStack, resourcesIn } from "./stack.ts";
import { slotsToFill } from "./slots.ts";

export interface UpOptions extends Options {
  yes: boolean;
}

/**
 * Brings the stack to what the settings say, on a machine that may have nothing yet, and ends with the health of every
 * service. Every check that can fail comes before the first change.
 */
export async function up({ stack: name, json, yes }: UpOptions): Promise<void> {
  const first = checkedSettings(name);
  await preflight(first);
  const { stack, options, resources } = await openStack(name);
  const deployed = deployedProject(resources);
  if (deployed !== undefined) refuseOtherData(deployed, first);
  await ensureDocker({ log, confirm: confirmUnless(yes) });
  const settings = await takeImages(first, resources.length > 0);
  await needKeysOfData(settings, resources);
  const slots = await slotsToFill(resources, settings);
  // Nothing depends on what such a slot holds; the run protects it again once it holds a value.
  for (const { urn } of slots) await pulumi(["state", "unprotect", urn, "--yes", "--stack", name]);
  log("Applying …");
  const progress = new Progress(log);
  const { onEvent } = progress;
  const replace = slots.map(({ urn }) => urn);
  const run = stack.up({ ...options, onEvent, replace });
  const { outputs, summary: result } = await inWords(run, () => progress.failed);
  const state = await exportedText(name);
  const recovery = await writeBundle(name, state);
  const applied = progress.changes.some(({ resource }) => resource === COMMAND_NAME);
  const { services, repaired } = await settledServices(name, resourcesIn(state), applied);
  const changes = result.resourceChanges ?? {};
  const differing = (outputs.secretsThatDifferFromTheirSource?.value ?? []) as string[];
  for (const secret of differing)
    log(`${secret}: its source holds another value than the one in use, which was kept.`);
  if (json) {
    const values = Object.fromEntries(
      Object.entries(outputs).map(([key, { value }]) => [key, value as unknown]),
    );
    const result = { stack: name, summary: changes, repaired, services, recovery, outputs: values };
    process.stdout.write(`${JSON.stringify(result)}\n`);
  } else process.stdout.write(`${summary(changes, true)}\n${table(services)}`);
  needAllWell(services, settings.projectName);
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

/** Shows what `up` would change; changes nothing. */
export async function preview({ stack: name, json }: Options): Promise<void> {
  const settings = checkedSettings(name);
  const open = await openStack(name);
  const { changes, counts } = await previewed(open);
  const slots = await slotsToFill(open.resources, settings);
  if (json) {
    process.stdout.write(
      `${JSON.stringify({ stack: name, summary: counts, changes, filled: slots.map(({ secret }) => secret) })}\n`,
    );
    return;
  }
  for (const change of changes) process.stdout.write(`${shown(change)}\n`);
  for (const { secret, before } of slots)
    process.stdout.write(`± ${secret}, which was ${before}, gets the value of its source\n`);
  process.stdout.write(`${summary(counts, false)}\n`);
}

async function previewed({ stack, options }: OpenStack): Promise<{ changes: Change[]; counts: object }> {
  const progress = new Progress(log);
  const { onEvent } = progress;
  const run = stack.preview({ ...options, onEvent });
  const { changeSummary } = await inWords(run, () => progress.failed);
  return { changes: progress.changes, counts: changeSummary };
}

function checkedSettings(stack: string) {
  const settings = loadDockerSettings(fileInput(stack));
  for (const warning of settings.warnings) log(`Warning: ${warning}`);
  return settings;
}
