import type { Options } from "./main.ts";
import { loadDockerSettings } from "../infra/settings/load.ts";
import { fileInput } from "../infra/settings/sources.ts";
import { inWords, pulumi } from "./engine.ts";
import { log } from "./output.ts";
import { type Change, Progress, shown, summary } from "./progress.ts";
import { type OpenStack, openStack } from "./stack.ts";
import { slotsToFill } from "./slots.ts";

/** Brings the stack to what the settings say. Every check that can fail comes before the first change. */
export async function up({ stack: name, json }: Options): Promise<void> {
  const settings = checkedSettings(name);
  const { stack, options, resources } = await openStack(name);
  const slots = slotsToFill(resources, Object.keys(settings.secrets));
  // Nobody depends on an empty slot; the run protects it again once it holds a value.
  for (const { urn } of slots) await pulumi(["state", "unprotect", urn, "--yes", "--stack", name]);
  log("Applying …");
  const progress = new Progress(log);
  const { onEvent } = progress;
  const replace = slots.map(({ urn }) => urn);
  const run = stack.up({ ...options, onEvent, replace });
  const { outputs, summary: result } = await inWords(run, () => progress.failed);
  const differing = (outputs.secretsThatDifferFromTheirSource?.value ?? []) as string[];
  const changes = result.resourceChanges ?? {};
  if (json) {
    const values = Object.fromEntries(
      Object.entries(outputs).map(([key, { value }]) => [key, value as unknown]),
    );
    process.stdout.write(`${JSON.stringify({ stack: name, summary: changes, outputs: values })}\n`);
    return;
  }
  for (const secret of differing)
    log(`${secret}: its source holds another value than the one in use, which was kept.`);
  process.stdout.write(`${summary(changes, true)}\n`);
  process.stdout.write(
    `The Compose project: .rejourney/${name}/docker-compose.yml. How to start it: README.md\n`,
  );
}

/** Shows what `up` would change; changes nothing. */
export async function preview({ stack: name, json }: Options): Promise<void> {
  const settings = checkedSettings(name);
  const open = await openStack(name);
  const { changes, counts } = await previewed(open);
  const filled = slotsToFill(open.resources, Object.keys(settings.secrets)).map(({ secret }) => secret);
  if (json) {
    process.stdout.write(`${JSON.stringify({ stack: name, summary: counts, changes, filled })}\n`);
    return;
  }
  for (const change of changes) process.stdout.write(`${shown(change)}\n`);
  for (const secret of filled)
    process.stdout.write(`± ${secret}, which was empty, gets the value of its source\n`);
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
