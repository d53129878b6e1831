import { definitionOf, type SecretName } from "../app/secrets.ts";

/** The secrets of a stack that another party makes. */
interface MadeElsewhere {
  readonly notGenerated: readonly SecretName[];
}

/** Whether this program generates the secret of a stack, so that no other party gives its value. */
export function isGeneratedHere(name: SecretName, { notGenerated }: MadeElsewhere): boolean {
  return definitionOf(name).generatedBytes !== undefined && !notGenerated.includes(name);
}

/** Why a secret that is in use does not change by itself; undefined where it may. */
export function boundBy(name: SecretName, settings: MadeElsewhere): string | undefined {
  return isGeneratedHere(name, settings) ? definitionOf(name).bound : undefined;
}
