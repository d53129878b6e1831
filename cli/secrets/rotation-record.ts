import type { SecretName } from "../../infra/app/secrets.ts";
import { keyedHash } from "../../infra/secrets/hash.ts";
import { rotationsName, slotName } from "../../infra/secrets/names.ts";
import { command } from "../../infra/settings/command.ts";
import { SettingsError } from "../../infra/settings/problem.ts";
import { editStashes, secret as encrypted } from "../engine/edit-state.ts";
import { Failure } from "../terminal/output.ts";
import { outputOf } from "../engine/secret-slots.ts";
import type { Resource } from "../engine/stack.ts";

/** A rotation of a secret that something else holds, too, so that it takes more than one step. */
export interface OpenRotation {
  secret: SecretName;
  /** When it began, by ISO 8601. */
  begun: string;
  /** True once everything uses the new value; the old one is kept until somebody says that it may go. */
  isApplied: boolean;
  from: string;
  to: string;
}

/** What a stack remembers of rotations, in its state. */
export interface Rotations {
  open?: OpenRotation;
  /** Keyed hashes of the values that were rotated away. */
  retired: Partial<Record<SecretName, string[]>>;
}

/** What the stack remembers. Of resources whose secrets are not in the clear, `from` and `to` are of no use. */
export function rotationsIn(resources: readonly Resource[]): Rotations {
  const stored = outputOf(resources, rotationsName(), "output") as Partial<Rotations> | undefined;
  return { retired: {}, ...stored };
}

/**
 * Keeps in the state what there is to remember in the place of what there was and, in the same step, what secrets are in
 * use from now on. Throws Failure when another run has changed it meanwhile.
 */
export async function keepRotations(
  stack: string,
  before: Rotations,
  { open, retired }: Rotations,
  inUse: Partial<Record<SecretName, string>> = {},
): Promise<void> {
  const slots = Object.entries(inUse).map(([name, value]) => [
    slotName(name as SecretName),
    encrypted(value),
  ]);
  const stored = {
    retired,
    ...(open && { open: { ...open, from: encrypted(open.from), to: encrypted(open.to) } }),
  };
  await editStashes(
    stack,
    { [rotationsName()]: stored, ...(Object.fromEntries(slots) as object) },
    (resources) => {
      if (mark(rotationsIn(resources)) === mark(before)) return;
      throw new Failure(`Another run has rotated a secret of the stack ${stack} in the meantime. Retry.`);
    },
  );
}

/** What tells one from another, without values. */
function mark({ open, retired }: Rotations): string {
  return JSON.stringify([open?.secret, open?.begun, open?.isApplied, Object.entries(retired).sort()]);
}

/** The same, with these values among those that were rotated away. */
export function withRetired(
  rotations: Rotations,
  values: Partial<Record<SecretName, string>>,
  hashKey: string,
): Rotations {
  const retired = { ...rotations.retired };
  for (const [name, value] of Object.entries(values) as [SecretName, string][]) {
    const hash = keyedHash(hashKey, [name, value]);
    retired[name] = [...(retired[name] ?? []).filter((other) => other !== hash), hash];
  }
  return { ...rotations, retired };
}

/** Throws SettingsError when one of these values, which somebody wants to have in use, was rotated away. */
export function refuseRetired(
  { retired }: Rotations,
  values: Partial<Record<SecretName, string>>,
  { hashKey, stack }: { hashKey: string; stack: string },
): void {
  const old = (Object.entries(values) as [SecretName, string][]).filter(([name, value]) =>
    retired[name]?.includes(keyedHash(hashKey, [name, value])),
  );
  if (old.length === 0) return;
  const place = command(stack, "secrets export --env-file in-use.env");
  throw new SettingsError(
    old.map(([key]) => ({
      key,
      what: "is a value that was rotated away, so others may know it",
      fix: `use the current value (${place}), or a new one: ${command(stack, `secrets rotate ${key}`)}`,
    })),
  );
}

/** Ends a rotation whose data is deleted: no row and no database has the old value any more. */
export async function forgetRotation(stack: string, resources: readonly Resource[]): Promise<void> {
  const { open, ...others } = rotationsIn(resources);
  if (open === undefined) return;
  await editStashes(stack, { [rotationsName()]: others }, () => undefined);
}

/** Throws Failure when a rotation was interrupted: only the same rotation can resume it. */
export function needNoOpenRotation(resources: readonly Resource[], stack: string): void {
  const { open } = rotationsIn(resources);
  if (open === undefined || open.isApplied) return;
  throw new Failure(
    `The rotation of ${open.secret} that began at ${open.begun} is not finished; nothing was changed.\n` +
      `  Fix: ${command(stack, `secrets rotate ${open.secret}`)}`,
  );
}
