import type { SecretName } from "../../infra/app/secrets.ts";
import { exportedText } from "../engine/stack.ts";
import { takeIntoEnvFile } from "../secrets/env-file.ts";
import { newValues } from "../secrets/new-values.ts";
import { keepRotations, type OpenRotation, type Rotations, withRetired } from "../secrets/rotation-record.ts";
import type { Secrets } from "../secrets/sync-plan.ts";
import { writeBundle } from "../state/recovery-bundle.ts";
import { log } from "../terminal/output.ts";
import { withDatabase } from "./database.ts";
import type { Rotation } from "./prepare.ts";
import { type Holder, holderOf } from "./procedures.ts";

/** The values that a rotation brings into use. Asks for those that this program does not make. */
export async function valuesOf({ names, settings, inUse, resumed }: Rotation): Promise<Partial<Secrets>> {
  return resumed === undefined ? newValues(names, settings, inUse) : { [resumed.secret]: resumed.to };
}

/** A rotation whose new values are in the state, so that every run of the engine brings what reads them there. */
export interface Begun {
  /** What there is to remember of rotations. */
  kept: Rotations;
  /** For a secret that something else holds, too. */
  holding?: { holder: Holder; open: OpenRotation; changedAt: number | undefined };
}

/** Brings the values into use. Comes right before the engine's run. */
export async function begin(rotation: Rotation, values: Partial<Secrets>): Promise<Begun> {
  const [first] = rotation.names as [SecretName];
  const holder = holderOf(first, rotation.settings);
  if (holder === undefined) return { kept: await takeIntoUse(rotation, values) };
  return beginWith(holder, rotation, first, values[first]!);
}

/**
 * A secret that the database holds, too. Both values are on record before it has the new one, which it and the stack get
 * in the same moment but for the transaction's last step. Ended anywhere, the same steps lead there.
 */
async function beginWith(holder: Holder, rotation: Rotation, secret: SecretName, to: string): Promise<Begun> {
  const { settings, api, resumed, rotations } = rotation;
  const { stack } = settings;
  const open = resumed ?? {
    secret,
    begun: new Date().toISOString(),
    isApplied: false,
    from: rotation.inUse[secret],
    to,
  };
  let kept: Rotations = { ...rotations, open };
  if (resumed === undefined) await keepRotations(stack, rotations, kept);
  await writeBundle(stack, await exportedText(stack));
  log("The state and the recovery bundle contain both values.");
  const inUse = { ...rotation.inUse, [secret]: open.from };
  const isChanged = await withDatabase(settings, api, (psql) =>
    holder.change(psql, open, async () => {
      log("The database has the new value; it is not committed yet.");
      kept = await takeIntoUse({ ...rotation, inUse, rotations: kept }, { [secret]: open.to });
    }),
  );
  log("Committed: the database now requires the new value.");
  return { kept, holding: { holder, open, changedAt: isChanged ? Date.now() : undefined } };
}

/**
 * Ends a rotation, once all that reads the values has them. The result is how many seconds that took from the moment on
 * which the database asked for the new value; undefined where it asks for none, or an earlier run has changed it.
 */
export async function complete(
  { settings, api }: Rotation,
  { kept, holding }: Begun,
): Promise<number | undefined> {
  if (holding === undefined) return undefined;
  const { holder, open, changedAt } = holding;
  const { stack } = settings;
  const seconds = changedAt === undefined ? undefined : Math.round((Date.now() - changedAt) / 100) / 10;
  // What was written meanwhile, by what still had the old value.
  await withDatabase(settings, api, (psql) => holder.change(psql, open, () => Promise.resolve()));
  const { retired } = kept;
  const last = holder.keepsOld ? { retired, open: { ...open, isApplied: true } } : { retired };
  await keepRotations(stack, kept, last);
  await writeBundle(stack, await exportedText(stack));
  return seconds;
}

/** The result is what there is to remember since. */
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
