import { existsSync } from "node:fs";
import { basename } from "node:path";
import type { V1Secret } from "@kubernetes/client-node";
import { SECRET_NAMES, type SecretName } from "../../../infra/app/secrets.ts";
import { composeProject } from "../../../infra/compose/project.ts";
import type { ClusterApi } from "../../../infra/cluster/api.ts";
import { secretTemplates } from "../../../infra/kubernetes/secrets.ts";
import { command } from "../../../infra/settings/command.ts";
import { boundBy } from "../../../infra/settings/generated.ts";
import type { KubernetesSettings, Settings } from "../../../infra/settings/load.ts";
import { SettingsError } from "../../../infra/settings/problem.ts";
import { secretProblems } from "../../../infra/settings/secret-rules.ts";
import { envPath } from "../../../infra/settings/sources.ts";
import { needDocker } from "../../../tools/setup/docker.ts";
import { contentsIn, liveSecrets } from "../../cluster/secrets.ts";
import { previewed } from "../../engine/preview.ts";
import type { Change } from "../../engine/progress.ts";
import { pulumi } from "../../engine/pulumi-cli.ts";
import type { Deployment } from "../../engine/run-plan.ts";
import { hashKeyOf, revealedResources, type Slot, urnOf, valuesIn } from "../../engine/secret-slots.ts";
import { needDeployed, type OpenStack, type Resource } from "../../engine/stack.ts";
import { boundProblems } from "../../secrets/bound.ts";
import { needNoOpenRotation, refuseRetired, rotationsIn } from "../../secrets/rotation-record.ts";
import {
  clusterPlan,
  complete,
  contentsOf,
  dockerPlan,
  orphans,
  type Secrets,
  type SyncPlan,
  told,
} from "../../secrets/sync-plan.ts";
import { databaseIn } from "../../single-node/database.ts";
import { confirm } from "../../terminal/confirm.ts";
import type { UpOptions } from "../../terminal/options.ts";
import { Failure, print, printJson } from "../../terminal/output.ts";
import { prepare } from "../prepare.ts";

export interface SyncOptions extends UpOptions {
  dryRun: boolean;
  prune: boolean;
  direct: boolean;
}

/**
 * Takes the values that the sources give, in the place of those in use, and brings the stack there: what reads a changed
 * one restarts, and nothing else. Throws SettingsError and Failure before any change.
 */
export async function secretsSync(options: SyncOptions): Promise<void> {
  if (options.prune && !existsSync(envPath()))
    throw new Failure(
      `${envPath()} does not exist, and --prune would remove every secret that it lacks; nothing was changed.\n` +
        "  Fix: name the file with --env-file, or leave out --prune",
    );
  if (options.direct) return (await import("../../cluster/unmanaged-secrets.ts")).syncDirect(options);
  const deployment = await prepare(options);
  const choice = await chosen(deployment, options);
  if (choice === undefined) return;
  await deployment.ready();
  await deployment.settle(await deployment.apply(choice.slots), choice.report);
}

/** What a sync gives the engine to do; undefined where there is nothing. */
interface Choice {
  slots: readonly Slot[];
  report: object;
}

async function chosen(
  { open, settings, api }: Deployment,
  options: SyncOptions,
): Promise<Choice | undefined> {
  const { stack, json, dryRun } = options;
  needDeployed(open, stack);
  needNoOpenRotation(open.resources, stack);
  if (settings.target === "docker") await needDocker();
  const revealed = await revealedResources(stack);
  const inUse = complete(valuesIn(revealed));
  const sources = await sourcesOf(settings, open);
  const orphaned = orphans(inUse, sources, settings);
  const removed = options.prune ? orphaned : [];
  const next = complete({
    ...inUse,
    ...sources,
    ...Object.fromEntries(removed.map((name) => [name, ""])),
  });
  const changed = SECRET_NAMES.filter((name) => next[name] !== inUse[name]);
  await refuseBound(changed, settings);
  const hashKey = hashKeyOf(revealed);
  const wanted = Object.fromEntries(changed.map((name) => [name, next[name]])) as Partial<Secrets>;
  refuseRetired(rotationsIn(revealed), wanted, { hashKey, stack });
  const plan: SyncPlan = {
    ...(settings.target === "docker"
      ? dockerPlan(settings, inUse, next)
      : await planOfCluster(settings, { api: api!, revealed, inUse, next, changed })),
    kept: options.prune ? [] : orphaned,
  };
  const { changes } = await previewed(open, settings.target === "kubernetes");
  const others = changes.filter(({ ofSecrets }) => !ofSecrets);
  if (!json) print(told(plan, others));
  const slots = changed.flatMap((secret) => {
    const urn = urnOf(open.resources, secret);
    return urn === undefined ? [] : [{ secret, urn }];
  });
  const isDone = slots.length === 0 && changes.length === 0;
  const report = { secrets: plan, others: others.map(({ op, resource }) => ({ op, resource })) };
  if (dryRun || isDone) {
    if (json) printJson({ stack, ...report });
    return undefined;
  }
  await confirmOthers(others, options);
  return { slots, report };
}

/** The values that the sources give, those of the stack's file decrypted. Throws SettingsError. */
async function sourcesOf(
  { stack, secrets, encrypted }: Settings,
  { options: { configFile } }: OpenStack,
): Promise<Partial<Secrets>> {
  if (encrypted.length === 0) return secrets;
  const flags = ["--stack", stack, "--config-file", configFile];
  const text = await pulumi(["config", "--show-secrets", "--json", ...flags]);
  const config = JSON.parse(text) as Record<string, { value: string }>;
  const opened = encrypted.map((name) => [name, config[`rejourney:${name}`]!.value] as const);
  const all = { ...secrets, ...Object.fromEntries(opened) } as Partial<Secrets>;
  const given = Object.entries(all).map(([name, value]) => [
    name,
    { value, place: name in secrets ? basename(envPath()) : `rejourney:${name}` },
  ]);
  const problems = secretProblems(Object.fromEntries(given) as Parameters<typeof secretProblems>[0], stack);
  if (problems.length > 0) throw new SettingsError(problems);
  return all;
}

/** Throws SettingsError when something that is in use would have to change with a value. */
async function refuseBound(changed: readonly SecretName[], settings: Settings): Promise<void> {
  const bound = changed.filter((name) => boundBy(name, settings) !== undefined);
  if (bound.length === 0) return;
  if (settings.target === "docker" && (await databaseIn(composeProject(settings))) === "none") return;
  const { stack } = settings;
  const place = command(stack, "secrets export --env-file in-use.env");
  throw new SettingsError(
    boundProblems(
      bound,
      settings,
      (name) =>
        `put back the value in use (${place}), or create a new one: ${command(stack, `secrets rotate ${name}`)}`,
    ),
  );
}

async function planOfCluster(
  settings: KubernetesSettings,
  {
    api,
    revealed,
    inUse,
    next,
    changed,
  }: {
    api: ClusterApi;
    revealed: readonly Resource[];
    inUse: Secrets;
    next: Secrets;
    changed: readonly SecretName[];
  },
): Promise<Omit<SyncPlan, "kept">> {
  const deployed = revealed.filter(({ type }) => type === "kubernetes:core/v1:Secret");
  const plan = clusterPlan(settings, {
    deployed: contentsIn(deployed.map(({ inputs }) => inputs as V1Secret)),
    next: contentsOf(settings, next, hashKeyOf(revealed)),
    live: contentsIn(await liveSecrets(api, settings)),
  });
  // What the stack uses itself, and no Secret holds.
  const placed = secretTemplates(settings).flatMap(({ from }) => from);
  for (const name of changed.filter((name) => !placed.includes(name))) {
    if (next[name] === "") plan.removed.push(name);
    else (inUse[name] === "" ? plan.added : plan.changed).push(name);
  }
  return plan;
}

async function confirmOthers(others: readonly Change[], { yes, stack }: SyncOptions): Promise<void> {
  if (others.length === 0 || yes) return;
  if (await confirm("The settings also change other resources. Apply everything?")) return;
  const names = others.map(({ resource }) => resource).join(", ");
  throw new Failure(
    `The settings also change ${names}; nothing was changed.\n` +
      `  Fix: ${command(stack, "up")} first; or apply everything: add --yes to the same command`,
  );
}
