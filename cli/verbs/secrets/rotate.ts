import { definitionOf, type SecretName } from "../../../infra/app/secrets.ts";
import { command } from "../../../infra/settings/command.ts";
import { isGeneratedHere } from "../../../infra/settings/generated.ts";
import type { ClusterApi } from "../../../infra/cluster/api.ts";
import type { Settings } from "../../../infra/settings/load.ts";
import type { Resource } from "../../engine/stack.ts";
import { prepareRotation, type Report, type Rotation } from "../../rotation/prepare.ts";
import { begin, complete, valuesOf } from "../../rotation/steps.ts";
import { confirm } from "../../terminal/confirm.ts";
import type { UpOptions } from "../../terminal/options.ts";
import { Failure, print, printJson } from "../../terminal/output.ts";
import { areWell } from "../../terminal/service-report.ts";
import { checkedSettings } from "../../terminal/settings.ts";
import { prepare } from "../prepare.ts";

export interface RotateOptions extends UpOptions {
  dryRun: boolean;
  finish: boolean;
}

/**
 * Gives secrets new values, and what reads them. Throws SettingsError and Failure before any change; ended later, the
 * same command resumes.
 */
export async function secretsRotate(names: readonly SecretName[], options: RotateOptions): Promise<void> {
  if (options.finish) return finish(names, options);
  const { stack, json, yes, dryRun } = options;
  const deployment = await prepare(options);
  const rotation = await prepareRotation(names, deployment);
  const { report } = rotation;
  if (!json) print(plan(rotation));
  if (dryRun) {
    if (json) printJson({ stack, ...report });
    return;
  }
  // Whoever has begun it has been asked.
  if (rotation.resumed === undefined && !yes && !(await confirm("Continue?")))
    throw new Failure("Nothing was changed. To skip the prompt, add --yes to the same command");
  const values = await valuesOf(rotation);
  await deployment.ready();
  const begun = await begin(rotation, values);
  const outcome = await deployment.apply([]);
  const windowSeconds = areWell(outcome.services) ? await complete(rotation, begun) : undefined;
  await deployment.settle(outcome, { ...report, ...(windowSeconds !== undefined && { windowSeconds }) });
  if (!json) print(told(report, windowSeconds, stack));
}

async function finish(names: readonly SecretName[], options: RotateOptions): Promise<void> {
  const { finishRotation } = await import("../../rotation/finish.ts");
  const settings = checkedSettings(options.stack);
  await finishRotation(names, settings, (resources) => reached(settings, resources), options);
}

/** The API server of a cluster; undefined for a Docker host, which has to be the stack's. */
async function reached(settings: Settings, resources: readonly Resource[]): Promise<ClusterApi | undefined> {
  if (settings.target === "kubernetes")
    return (await import("../../cluster/connection.ts")).reachedCluster(settings);
  await (await import("../../single-node/host.ts")).needSameHost(settings.stack, resources);
  return undefined;
}

/** What comes, for people, before it does. */
function plan({ names, report, settings }: Rotation): string {
  const effects = names.map((name) => {
    const what = isGeneratedHere(name, settings) ? "a new random value" : "a new value from standard input";
    return `${name}: ${what}. ${definitionOf(name).rotation ?? ""}`.trimEnd();
  });
  return [
    ...(report.goesOnFrom === undefined ? [] : [`Resumes the rotation that began at ${report.goesOnFrom}.`]),
    ...effects,
    ...(report.rows === undefined ? [] : [`Rows of storage_endpoints to re-encrypt: ${report.rows}`]),
    `Restarts: ${report.restarts.join(", ") || "nothing"}`,
    "",
  ].join("\n");
}

/** What was done, for people. */
function told({ rotated, rows, keepsOld }: Report, windowSeconds: number | undefined, stack: string): string {
  const names = rotated.join(" ");
  return [
    `Rotated: ${rotated.join(", ")}${rows === undefined ? "" : `, with the rows of storage_endpoints (${rows})`}. An older .env does not revert this.`,
    ...(windowSeconds === undefined
      ? []
      : [`For ${windowSeconds} s some services still used the old value, which no longer worked.`]),
    ...(keepsOld
      ? [
          "The state keeps the old value until you delete it. A database backup from before the rotation",
          "needs the old value: keep a recovery bundle that contains it as long as such a backup. To delete it:",
          `  ${command(stack, `secrets rotate ${names} --finish`)}`,
        ]
      : []),
    "",
  ].join("\n");
}
