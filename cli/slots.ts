import { SECRET_NAMES, type SecretName } from "../infra/app/secrets.ts";
import { generatorName, slotName } from "../infra/secrets/store.ts";
import type { Settings } from "../infra/settings/load.ts";
import { deployedResources, type Resource } from "./stack.ts";

/** A slot that a run gives a new value. */
export interface Slot {
  secret: SecretName;
  urn: string;
  /** What its value is so far. */
  before: string;
}

/**
 * The slots that take the value of their source, though a slot keeps its first value, so that they have to be replaced:
 * those of optional secrets that nobody had given so far, and, with an external S3, keys that were generated for the
 * built-in one, which open nothing there.
 */
export async function slotsToFill(resources: readonly Resource[], settings: Settings): Promise<Slot[]> {
  const { stack, secrets, encrypted } = settings;
  const outputs = resources.find(({ type }) => type === "pulumi:pulumi:Stack")?.outputs;
  const empty = (outputs?.secretsThatAreEmpty ?? []) as string[];
  const leftBuiltIn = settings.target === "docker" && !settings.builtInStorage && resources.length > 0;
  const generated = leftBuiltIn ? await generatedStorageKeys(stack) : [];
  const given = SECRET_NAMES.filter((name) => name in secrets || encrypted.includes(name));
  return given.flatMap((secret) => {
    const urn = urnOf(resources, slotName("secrets", secret));
    if (urn === undefined) return [];
    if (empty.includes(secret)) return [{ secret, urn, before: "empty" }];
    return generated.includes(secret) ? [{ secret, urn, before: "generated for the built-in S3" }] : [];
  });
}

/** The value in use of every secret that has one. */
export async function secretsInUse(stack: string): Promise<Partial<Record<SecretName, string>>> {
  const resources = await deployedResources(stack, "--show-secrets");
  const values = SECRET_NAMES.flatMap((secret) => {
    const { outputs } = resources.find(({ urn }) => urn.endsWith(`::${slotName("secrets", secret)}`)) ?? {};
    const { plaintext } = (outputs?.output ?? {}) as { plaintext?: string };
    const value = plaintext === undefined ? "" : (JSON.parse(plaintext) as string);
    return value === "" ? [] : [[secret, value]];
  });
  return Object.fromEntries(values) as Partial<Record<SecretName, string>>;
}

/** The keys of the S3 whose value in use is the generated one. */
async function generatedStorageKeys(stack: string): Promise<SecretName[]> {
  const resources = await deployedResources(stack, "--show-secrets");
  const valueOf = (name: string, output: string) => {
    const { outputs } = resources.find(({ urn }) => urn.endsWith(`::${name}`)) ?? {};
    return (outputs?.[output] as { plaintext: string } | undefined)?.plaintext;
  };
  return (["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"] as const).filter((secret) => {
    const inUse = valueOf(slotName("secrets", secret), "output");
    return inUse !== undefined && inUse === valueOf(generatorName("secrets", secret), "result");
  });
}

function urnOf(resources: readonly Resource[], name: string): string | undefined {
  return resources.find(({ urn }) => urn.endsWith(`::${name}`))?.urn;
}
