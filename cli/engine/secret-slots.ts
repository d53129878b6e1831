import { SECRET_NAMES, type SecretName } from "../../infra/app/secrets.ts";
import { generatorName, hashKeyName, slotName } from "../../infra/secrets/names.ts";
import type { Settings } from "../../infra/settings/load.ts";
import { deployedResources, isSecret, outputsOf, type Resource } from "./stack.ts";

/** A slot that a run gives a new value. */
export interface Slot {
  secret: SecretName;
  urn: string;
}

/** A slot that takes the value of its source without being asked. */
export interface EmptySlot extends Slot {
  /** What its value is so far. */
  before: string;
}

/**
 * The slots that take the value of their source, though a slot keeps its first value, so that they have to be replaced:
 * those of optional secrets that nobody had given so far, and, with an external S3, keys that were generated for the
 * built-in one, which open nothing there.
 */
export async function slotsToFill(resources: readonly Resource[], settings: Settings): Promise<EmptySlot[]> {
  const { stack, secrets, encrypted } = settings;
  const empty = (outputsOf(resources).secretsThatAreEmpty ?? []) as string[];
  const leftBuiltIn = settings.target === "docker" && !settings.builtInStorage && resources.length > 0;
  const generated = leftBuiltIn ? await generatedStorageKeys(stack) : [];
  const given = SECRET_NAMES.filter((name) => name in secrets || encrypted.includes(name));
  return given.flatMap((secret) => {
    const urn = urnOf(resources, secret);
    if (urn === undefined) return [];
    if (empty.includes(secret)) return [{ secret, urn, before: "empty" }];
    return generated.includes(secret) ? [{ secret, urn, before: "generated for the built-in S3" }] : [];
  });
}

/** The resources of the state with their secrets in the clear. They are to stay within this process. */
export async function revealedResources(stack: string): Promise<readonly Resource[]> {
  return revealed(await deployedResources(stack, "--show-secrets")) as readonly Resource[];
}

/** The value in use of every secret that has one. */
export async function secretsInUse(stack: string): Promise<Partial<Record<SecretName, string>>> {
  return valuesIn(await revealedResources(stack));
}

/** The same, of resources whose secrets are in the clear. */
export function valuesIn(resources: readonly Resource[]): Partial<Record<SecretName, string>> {
  const values = SECRET_NAMES.flatMap((secret) => {
    const value = outputOf(resources, slotName(secret), "output") ?? "";
    return value === "" ? [] : [[secret, value]];
  });
  return Object.fromEntries(values) as Partial<Record<SecretName, string>>;
}

/** What a resource gives, by its name; undefined where it is not there. */
export function outputOf(resources: readonly Resource[], name: string, output: string): string | undefined {
  const { outputs } = resources.find(({ urn }) => urn.endsWith(`::${name}`)) ?? {};
  return outputs?.[output] as string | undefined;
}

/** The key of the hashes that show a changed secret. */
export function hashKeyOf(revealed: readonly Resource[]): string {
  return outputOf(revealed, hashKeyName(), "result") ?? "";
}

function revealed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revealed);
  if (typeof value !== "object" || value === null) return value;
  if (isSecret(value)) return revealed(JSON.parse(value.plaintext!));
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, revealed(part)]));
}

/** The keys of the S3 whose value in use is the generated one. */
async function generatedStorageKeys(stack: string): Promise<SecretName[]> {
  const resources = await revealedResources(stack);
  return (["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"] as const).filter((secret) => {
    const inUse = outputOf(resources, slotName(secret), "output");
    return inUse !== undefined && inUse === outputOf(resources, generatorName(secret), "result");
  });
}

/** The resource that holds a secret; undefined in a state that an older program has made. */
export function urnOf(resources: readonly Resource[], secret: SecretName): string | undefined {
  return resources.find(({ urn }) => urn.endsWith(`::${slotName(secret)}`))?.urn;
}
