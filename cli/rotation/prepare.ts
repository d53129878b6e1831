import { definitionOf, type SecretName } from "../../infra/app/secrets.ts";
import type { ClusterApi } from "../../infra/cluster/api.ts";
import { command } from "../../infra/settings/command.ts";
import { isGeneratedHere } from "../../infra/settings/generated.ts";
import type { Settings } from "../../infra/settings/load.ts";
import { previewed } from "../engine/preview.ts";
import type { Deployment } from "../engine/run-plan.ts";
import { hashKeyOf, revealedResources, valuesIn } from "../engine/secret-slots.ts";
import { needDeployed, type OpenStack } from "../engine/stack.ts";
import {
  needNoOpenRotation,
  type OpenRotation,
  type Rotations,
  rotationsIn,
} from "../secrets/rotation-record.ts";
import { clusterPlan, complete, contentsOf, dockerPlan, type Secrets } from "../secrets/sync-plan.ts";
import { Failure } from "../terminal/output.ts";
import { withDatabase } from "./database.ts";
import { holderOf } from "./procedures.ts";

/** What a rotation is going to do. Names and counts alone. */
export interface Report {
  rotated: readonly SecretName[];
  /** When the rotation began that this run resumes. */
  goesOnFrom?: string;
  /** The services that get the new value, and restart for that. */
  restarts: readonly string[];
  /** How many rows of storage_endpoints hold a key. */
  rows?: number;
  /** True where the old value is kept until somebody says that it may go. */
  keepsOld: boolean;
}

/** All that the steps of a rotation need. */
export interface Rotation {
  names: readonly SecretName[];
  settings: Settings;
  /** That of a cluster. */
  api: ClusterApi | undefined;
  inUse: Secrets;
  hashKey: string;
  rotations: Rotations;
  /** One that was ended in the middle. */
  resumed: OpenRotation | undefined;
  report: Report;
}

/** A rotation that may begin, or go on. Throws SettingsError and Failure when it may not; nothing has changed. */
export async function prepareRotation(
  names: readonly SecretName[],
  { open, settings, api }: Deployment,
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
    `The settings also change other resources: ${others.join(", ")}; nothing was changed.\n` +
      `  Fix: ${command(stack, "up")} first`,
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
  const rotate = (words: string) => command(stack, `secrets rotate ${words}`);
  const fail = (what: string, fix: string) => {
    throw new Failure(`${what}; nothing was changed.\n  Fix: ${fix}`);
  };
  if (before?.isApplied === true && holderOf(names[0]!, settings) !== undefined)
    fail(
      `${before.secret} was rotated at ${before.begun}, and its old value is still kept. Only one old value can be kept`,
      `${rotate(`${before.secret} --finish`)}, then retry`,
    );
  const absent = names.filter((name) => inUse[name] === "");
  if (absent.length > 0)
    fail(`${absent.join(", ")}: not in use`, `add it to .env, then: ${command(stack, "up")}`);
  if (names.some((name) => definitionOf(name).pem !== undefined))
    fail(
      "A certificate and its key can only change together",
      `put the new pair into .env, then: ${command(stack, "secrets sync")}`,
    );
  const alone = names.find((name) => definitionOf(name).bound !== undefined);
  if (alone !== undefined && names.length > 1) fail(`${alone} must be rotated alone`, rotate(alone));
  const keys = ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"] as const;
  const given = keys.filter((name) => names.includes(name) && !isGeneratedHere(name, settings));
  if (given.length === 1) fail("The S3 keys of a provider can only change together", rotate(keys.join(" ")));
}

/** The services that read one of these. */
function restarted({ names, settings, inUse, hashKey }: Omit<Rotation, "report">): string[] {
  const next = { ...inUse, ...Object.fromEntries(names.map((name) => [name, `another ${name}`])) };
  if (settings.target === "docker") return dockerPlan(settings, inUse, next).restarts;
  const deployed = contentsOf(settings, inUse, hashKey);
  return clusterPlan(settings, { deployed, live: deployed, next: contentsOf(settings, next, hashKey) })
    .restarts;
}
