import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, statSync } from "node:fs";
import { definitionOf, GENERATED_SECRETS, type SecretName } from "../../../infra/app/secrets.ts";
import { notGenerated } from "../../../infra/settings/check.ts";
import { type EnvFile, readEnvFile } from "../../../infra/settings/env.ts";
import { isGeneratedHere } from "../../../infra/settings/generated.ts";
import { SettingsError } from "../../../infra/settings/problem.ts";
import { envPath, stackConfig } from "../../../infra/settings/sources.ts";
import { replaceFile } from "../../state/replace-file.ts";
import type { Options } from "../../terminal/options.ts";
import { log, printJson } from "../../terminal/output.ts";

/** Gives `.env` the secrets that it lacks. Lines that are there stay as they are, empty ones get a value. */
export function secretsGenerate({ stack, json }: Options): void {
  const env = readEnvFile(envPath());
  if (env.problems.length > 0) throw new SettingsError(env.problems);
  const madeElsewhere = { notGenerated: notGenerated(stackConfig(stack), env) };
  const added = GENERATED_SECRETS.filter(
    (name) => (env.entries.get(name)?.value ?? "") === "" && isGeneratedHere(name, madeElsewhere),
  );
  if (added.length > 0) replaceFile(envPath(), filled(env, added));
  else if (existsSync(envPath()) && (statSync(envPath()).mode & 0o077) !== 0) chmodSync(envPath(), 0o600);
  if (json) printJson({ added });
  else log(added.length === 0 ? "Nothing is missing." : `Added to ${envPath()}: ${added.join(", ")}.`);
}

/** The text of the file with a new value for each name: in the place of its empty entry, else at the end. */
function filled({ text, entries }: EnvFile, names: readonly SecretName[]): string {
  const lineBreak = text.includes("\r\n") ? "\r\n" : "\n";
  const value = (name: SecretName) => randomBytes(definitionOf(name).generatedBytes!).toString("hex");
  const empty = names.flatMap((name) => {
    const span = entries.get(name)?.span;
    return span === undefined ? [] : [{ name, span }];
  });
  let result = text;
  // From the last to the first, so that a replacement moves no place that is still to come.
  for (const { name, span } of empty.sort((a, b) => b.span[0] - a.span[0]))
    result = result.slice(0, span[0]) + value(name) + result.slice(span[1]);
  for (const name of names.filter((name) => !entries.has(name)))
    result += `${result === "" || /[\r\n]$/.test(result) ? "" : lineBreak}${name}=${value(name)}${lineBreak}`;
  return result;
}
