import type { SecretName } from "../../infra/app/secrets.ts";
import type { ClusterApi } from "../../infra/kubernetes/api.ts";
import type { Settings } from "../../infra/settings/load.ts";
import { takeIntoEnvFile } from "../secrets/env-file.ts";
import { type Holder, holderOf } from "./procedures.ts";
import { newValues } from "../secrets/new-values.ts";
import { log } from "../terminal/output.ts";
import { writeBundle } from "../state/recovery-bundle.ts";
import { withDatabase } from "./database.ts";
import { keepRotations, type OpenRotation, type Rotations, withRetired } from "../secrets/rotation-record.ts";
import { exportedText } from "../engine/stack.ts";
import type { Secrets } from "../secrets/sync-plan.ts";
import type { Choice } from "../verbs/up.ts";

/** What a rotation does and has done. Names and counts alone. */
export interface Report {
  rotated: readonly SecretName[];
  /** When the rotation began that this run goes on with. */
  goesOnFrom?: string;
  /** The services that get the new value, and restart for that. */
  restarts: readonly string[];
  /** How many rows of storage_endpoints hold a key. */
  rows?: number;
  /** Seconds from the moment on which the database asked for the new value, to the one on which all that reads it had it. */
  windowSeconds?: number;
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

/** What a run of `up` does before and after the engine's, so that the secrets are others then. */
export async function stepsOf(rotation: Rotation): Promise<Choice> {
  const { names, settings, inUse, resumed, report } = rotation;
  const values =
    resumed === undefined ? await newValues(names, settings, inUse) : { [resumed.secret]: resumed.to };
  const holder = holderOf(names[0]!, settings);
  if (holder !== undefined) return stepsWith(holder, rotation, values[names[0]!]!);
  const before = async () => void (await takeIntoUse(rotation, values));
  return { slots: [], report, before };
}

/**
 * From here on the stack has these values, and every run of the engine brings what reads them there. The result is what
 * there is to remember since.
 */
async function takeIntoUse(
  { settings: { stack }, inUse, hashKey, rotations }: Rotation,
  values: Partial<Secrets>,
): Promise<Rotations> {
  const names = Object.keys(values) as SecretName[];
  const old = Object.fromEntries(names.map((name) => [name, inUse[name]])) as Partial<Secrets>;
  const kept = withRetired(rotations, old, hashKey);
  await keepRotations(stack, rotations, kept, values);
  log(`The state has the new ${names.join(", ")}.`);
  takeIntoEnvFile(values);
  return kept;
}

/**
 * A secret that the database holds, too. Both values are on record before it has the new one, which it and the stack get
 * in the same moment but for the transaction's last step. Ended anywhere, the same steps lead there.
 */
function stepsWith(holder: Holder, rotation: Rotation, to: string): Choice {
  const { names, settings, api, report, resumed } = rotation;
  const { stack } = settings;
  const [secret] = names as [SecretName];
  const open = resumed ?? {
    secret,
    begun: new Date().toISOString(),
    isApplied: false,
    from: rotation.inUse[secret],
    to,
  };
  let kept: Rotations = { ...rotation.rotations, open };
  let asked: number | undefined;
  return {
    slots: [],
    report,
    before: async () => {
      if (resumed === undefined) await keepRotations(stack, rotation.rotations, kept);
      await writeBundle(stack, await exportedText(stack));
      log("The state and the recovery bundle have both values.");
      const inUse = { ...rotation.inUse, [secret]: open.from };
      const isChanged = await withDatabase(settings, api, (psql) =>
        holder.change(psql, open, async () => {
          log("The database has the new value, not yet committed.");
          kept = await takeIntoUse({ ...rotation, inUse, rotations: kept }, { [secret]: open.to });
        }),
      );
      if (isChanged) asked = Date.now();
      log("Committed: from now on the database asks for the new value.");
    },
    after: async () => {
      if (asked !== undefined) report.windowSeconds = Math.round((Date.now() - asked) / 100) / 10;
      // What was written meanwhile, by what still had the old value.
      await withDatabase(settings, api, (psql) => holder.change(psql, open, () => Promise.resolve()));
      const { retired } = kept;
      const last = holder.keepsOld ? { retired, open: { ...open, isApplied: true } } : { retired };
      await keepRotations(stack, kept, last);
      await writeBundle(stack, await exportedText(stack));
    },
  };
}
