import { SECRET_NAMES, type SecretName } from "../app/secrets.ts";
import type { VariableName } from "../app/variables.ts";

// What Compose takes from `.env`, or from its caller, when it reads the project. So the project holds no secret.

/** A secret, which Compose refuses to leave empty. */
export function secretReference(name: SecretName): string {
  return `\${${name}:?is missing, run: npx rejourney secrets generate}`;
}

/** A variable that `.env` may replace when the file is used by hand. */
export function variableReference(name: VariableName, value: string): string {
  return `\${${name}:-${escapeDollar(value)}}`;
}

/** What is empty where nobody has set it. */
export function optionalReference(name: SecretName | VariableName): string {
  return `\${${name}:-}`;
}

/** Compose reads `$` as the start of a reference; `$$` stands for one. */
export function escapeDollar(text: string): string {
  return text.replaceAll("$", "$$$$");
}

/** The secrets that a part of the project refers to, in the order of their definition. */
export function secretsIn(part: unknown): SecretName[] {
  const text = JSON.stringify(part);
  return SECRET_NAMES.filter((name) => text.includes(`\${${name}:`));
}
