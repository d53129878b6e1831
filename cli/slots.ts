import { SECRET_NAMES, type SecretName } from "../infra/app/secrets.ts";
import { slotName } from "../infra/secrets/store.ts";
import type { Resource } from "./stack.ts";

export interface Slot {
  secret: SecretName;
  urn: string;
}

/**
 * The slots of optional secrets that nobody had given so far, and a source gives now. A slot keeps its first value,
 * the empty one too, so these have to be replaced.
 */
export function slotsToFill(resources: readonly Resource[], given: readonly string[]): Slot[] {
  const outputs = resources.find(({ type }) => type === "pulumi:pulumi:Stack")?.outputs;
  const empty = (outputs?.secretsThatAreEmpty ?? []) as string[];
  return SECRET_NAMES.filter((secret) => empty.includes(secret) && given.includes(secret)).flatMap((secret) =>
    resources
      .filter(({ urn }) => urn.endsWith(`::${slotName("secrets", secret)}`))
      .map(({ urn }) => ({ secret, urn })),
  );
}
