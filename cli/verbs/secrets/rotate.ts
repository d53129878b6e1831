import { definitionOf, type SecretName } from "../../../infra/app/secrets.ts";
import type { ClusterApi } from "../../../infra/kubernetes/api.ts";
import type { Settings } from "../../../infra/settings/load.ts";
import { confirm } from "../../terminal/confirm.ts";
import { holderOf } from "../../rotation/procedures.ts";
import { isMadeHere } from "../../secrets/new-values.ts";
import { Failure } from "../../terminal/output.ts";
import { previewed } from "../preview.ts";
import { withDatabase } from "../../rotation/database.ts";
import { type Report, type Rotation, stepsOf } from "../../rotation/steps.ts";
import { needNoOpenRotation, type OpenRotation, rotationsIn } from "../../secrets/rotation-record.ts";
import { needDeployed } from "./sync.ts";
import { hashKeyOf, revealedResources, valuesIn } from "../../engine/secret-slots.ts";
import type { OpenStack } from "../../engine/stack.ts";
import { clusterPlan, complete, contentsOf, dockerPlan, type Secrets } from "../../secrets/sync-plan.ts";
import { up, type UpOptions } from "../up.ts";

export interface RotateOptions extends UpOptions {
  dryRun: boolean;
  finish: boolean;
}

/**
 * Gives secrets new values, and what reads them. Throws SettingsError and Failure before any change; ended later, the
 * same command goes on.
 */
export async function secretsRotate(names: readonly SecretName[], options: RotateOptions): Promise<void> {
  if (options.finish) return (await import("../../rotation/finish.ts")).finishRotation(names, options);
  let report: Report | undefined;
  await up(options, async (open, settings, api) => {
    const rotation = await prepared(names, open, settings, api);
    ({ report } = rotation);
    if (!options.json) process.stdout.write(plan(rotation));
    if (options.dryRun) {
      if (options.json) process.stdout.write(`${JSON.stringify({ stack: options.stack, ...report })}\n`);
      return undefined;
    }
    // Whoever has begun it has been asked.
    if (rotation.resumed === undefined && !options.yes && !(await confirm("Go on?")))
      throw new Failure("Nothing was changed. To do it without being asked: the same command with --yes");
    return stepsOf(rotation);
  });
  if (report !== undefined && !options.json && !options.dryRun)
    process.stdout.write(told(report, options.stack));
}

async function prepared(
  names: readonly SecretName[],
  open: OpenStack,
  settings: Settings,
  api: ClusterApi | undefined,
): Promise<Rotation> {
  const { stack } = settings;
  needDeployed(open, stack);
  const revealed = await revealedResources(stack);
  const rotations = rotationsIn(revealed);
  const before = rotations.open;
  const resumed = before?.isApplied === false && names.join() === before.secret ? before : undefined;
  if (resumed === undefined) needNoOpenRotation(revealed, stack);
  const inUse = complete(valuesIn(revealed));
  refuse(names, settings, inUse, before);
  // Since then, `up` and `sync` were refused, and there is nothing to look at that was not looked at.
  if (resumed === undefined) await refuseOthers(open, settings);
  const hashKey = hashKeyOf(revealed);
  const rotation = { names, settings, api, inUse, hashKey, rotations, resumed };
  const holder = holderOf(names[0]!, settings);
  const report: Report = {
    rotated: names,
    keepsOld: holder?.keepsOld === true,
    ...(resumed && { goesOnFrom: resumed.begun }),
    restarts: restarted({
      ...rotation,
      inUse: { ...inUse, ...(resumed && { [resumed.secret]: resumed.from }) },
    }),
  };
  if (holder !== undefined) {
    const values = resumed ?? { from: inUse[names[0]!] };
    const rows = await withDatabase(settings, api, (psql) => holder.rows(psql, values));
    if (rows !== undefined) report.rows = rows;
  }
  return { ...rotation, report };
}

/** Throws Failure when a run would change more than what reads secrets. */
async function refuseOthers(open: OpenStack, { target, stack }: Settings): Promise<void> {
  const { changes } = await previewed(open, target === "kubernetes");
  const others = changes.filter(({ ofSecrets }) => !ofSecrets).map(({ resource }) => resource);
  if (others.length === 0) return;
  throw new Failure(
    `The settings change more than secrets: ${others.join(", ")}; nothing was changed.\n` +
      `  Mend: npm run up -- --stack ${stack} first`,
  );
}

/** Throws Failure when these are not to be rotated now, or not in this way. */
export function refuse(
  names: readonly SecretName[],
  settings: Settings,
  inUse: Secrets,
  before: OpenRotation | undefined,
): void {
  const { stack } = settings;
  const command = `npx rejourney secrets rotate`;
  const fail = (what: string, mend: string) => {
    throw new Failure(`${what}; nothing was changed.\n  Mend: ${mend}`);
  };
  if (before?.isApplied === true && holderOf(names[0]!, settings) !== undefined)
    fail(
      `${before.secret} was rotated at ${before.begun}, and its old value is still kept, for which there is one place`,
      `${command} ${before.secret} --finish --stack ${stack}, then the same command again`,
    );
  const absent = names.filter((name) => inUse[name] === "");
  if (absent.length > 0)
    fail(`${absent.join(", ")}: not in use`, `add it to .env, then: npm run up -- --stack ${stack}`);
  if (names.some((name) => definitionOf(name).pem !== undefined))
    fail(
      "A certificate and its key are replaced together",
      `put the new pair into .env, then: npx rejourney secrets sync --stack ${stack}`,
    );
  const alone = names.find((name) => definitionOf(name).bound !== undefined);
  if (alone !== undefined && names.length > 1)
    fail(`${alone} is rotated by itself`, `${command} ${alone} --stack ${stack}`);
  const keys = ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"] as const;
  const given = keys.filter((name) => names.includes(name) && !isMadeHere(name, settings));
  if (given.length === 1)
    fail("The provider's S3 keys are a pair", `${command} ${keys.join(" ")} --stack ${stack}`);
}

/** The services that read one of these. */
function restarted({ names, settings, inUse, hashKey }: Omit<Rotation, "report">): string[] {
  const next = { ...inUse, ...Object.fromEntries(names.map((name) => [name, `another ${name}`])) };
  if (settings.target === "docker") return dockerPlan(settings, inUse, next).restarts;
  const deployed = contentsOf(settings, inUse, hashKey);
  return clusterPlan(settings, { deployed, live: deployed, next: contentsOf(settings, next, hashKey) })
    .restarts;
}

/** What comes, for people, before it does. */
function plan({ names, report, settings }: Rotation): string {
  const effects = names.map((name) => {
    const what = isMadeHere(name, settings) ? "a new random value" : "a new value, read from standard input";
    return `${name}: ${what}. ${definitionOf(name).rotation ?? ""}`.trimEnd();
  });
  return [
    ...(report.goesOnFrom === undefined
      ? []
      : [`Goes on with the rotation that began at ${report.goesOnFrom}.`]),
    ...effects,
    ...(report.rows === undefined ? [] : [`Rows of storage_endpoints to encrypt anew: ${report.rows}`]),
    `Restarts: ${report.restarts.join(", ") || "nothing"}`,
    "",
  ].join("\n");
}

/** What was done, for people. */
function told({ rotated, rows, windowSeconds, keepsOld }: Report, stack: string): string {
  const names = rotated.join(" ");
  return [
    `Rotated: ${rotated.join(", ")}${rows === undefined ? "" : `, with the rows of storage_endpoints (${rows})`}. An older .env reverts nothing.`,
    ...(windowSeconds === undefined
      ? []
      : [`For ${windowSeconds} s there was something with the old value still, which did not fit any more.`]),
    ...(keepsOld
      ? [
          "The old one is kept in the state until you say that it may go. A backup of the database from before opens with",
          "it alone: keep a recovery bundle that has it as long as such a backup.",
          `  npx rejourney secrets rotate ${names} --finish --stack ${stack}`,
        ]
      : []),
    "",
  ].join("\n");
}
