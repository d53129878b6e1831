import { randomBytes } from "node:crypto";
import { text } from "node:stream/consumers";
import { definitionOf, type SecretName } from "../../infra/app/secrets.ts";
import { isGeneratedHere } from "../../infra/settings/generated.ts";
import type { Settings } from "../../infra/settings/load.ts";
import { SettingsError } from "../../infra/settings/problem.ts";
import { secretProblems } from "../../infra/settings/secret-rules.ts";
import { askHidden } from "../terminal/confirm.ts";
import { Failure } from "../terminal/output.ts";

type Values = Partial<Record<SecretName, string>>;

/**
 * A new value for each secret: random; or, where a provider makes it, read from standard input, a line for each, and
 * not shown where it is typed. Throws SettingsError and Failure when one is not good enough.
 */
export async function newValues(
  names: readonly SecretName[],
  settings: Settings,
  inUse: Readonly<Record<SecretName, string>>,
): Promise<Values> {
  const given = await givenValues(
    names.filter((name) => !isGeneratedHere(name, settings)),
    settings.stack,
  );
  const made = names
    .filter((name) => isGeneratedHere(name, settings))
    .map((name) => [name, randomBytes(definitionOf(name).generatedBytes!).toString("hex")] as const);
  const values = { ...given, ...Object.fromEntries(made) } as Values;
  const same = names.filter((name) => values[name] === inUse[name]);
  if (same.length > 0)
    throw new Failure(`The new value of ${same.join(", ")} is the one in use; nothing was changed.`);
  return values;
}

async function givenValues(names: readonly SecretName[], stack: string): Promise<Values> {
  if (names.length === 0) return {};
  const lines = process.stdin.isTTY
    ? await askHidden(names.map((name) => `The new value of ${name}, from its provider`))
    : (await text(process.stdin)).split(/\r?\n/);
  const place = "standard input";
  const given = names.map((name, i) => [name, { value: lines[i] ?? "", place }] as const);
  const problems = secretProblems(Object.fromEntries(given), stack);
  if (problems.length > 0)
    throw new SettingsError(
      problems.map(({ key, what }) => ({
        key,
        what: `of standard input ${what}`,
        fix: `create a new one at its provider, and pass it on standard input, one line for each of: ${names.join(", ")}`,
      })),
    );
  return Object.fromEntries(given.map(([name, { value }]) => [name, value]));
}
