import { command } from "./command.ts";
import type { z } from "zod";
import type { Target } from "../app/catalogue.ts";
import { SECRET_NAMES, type SecretName } from "../app/secrets.ts";
import { DERIVED, VARIABLES, type VariableName } from "../app/variables.ts";
import type { EnvFile } from "./env.ts";
import { nearest } from "./nearest.ts";
import type { Problem } from "./problem.ts";
import type { GivenSecret } from "./secret-rules.ts";
import { variableFault } from "./variables.ts";

/** Stands for a secret of the stack's file, which only the engine can decrypt. */
export const ENCRYPTED = Symbol("encrypted");

const isSecret = (key: string): key is SecretName => (SECRET_NAMES as string[]).includes(key);

/** The release of the application may stand in `.env`, beside all else that a single node is asked for. */
export const RELEASE_VARIABLE = "REJOURNEY_RELEASE";

/** Parts the secrets of a stack's settings, which are held to rules of their own, from the rest. */
export function splitConfig(config: Record<string, unknown>) {
  const entries = Object.entries(config);
  return {
    plain: Object.fromEntries(entries.filter(([key]) => !isSecret(key))),
    secret: Object.fromEntries(entries.filter(([key]) => isSecret(key))) as Partial<
      Record<SecretName, unknown>
    >,
  };
}

/** The secrets that a source gives, `.env` before the stack's settings, and those that stay encrypted. */
export function givenSecrets(config: Partial<Record<SecretName, unknown>>, { entries, name: file }: EnvFile) {
  const given: Partial<Record<SecretName, GivenSecret>> = {};
  const encrypted: SecretName[] = [];
  for (const name of SECRET_NAMES) {
    const entry = entries.get(name);
    const configured = config[name];
    if (entry !== undefined) given[name] = { value: entry.value, place: `${file} line ${entry.line}` };
    else if (configured === ENCRYPTED) encrypted.push(name);
    else if (configured !== undefined)
      given[name] = {
        value: typeof configured === "string" ? configured : JSON.stringify(configured),
        place: `rejourney:${name}`,
      };
  }
  return { given, encrypted };
}

/**
 * The secrets that are never generated, since another party makes them: the keys of an S3 that is not the single node's
 * own, and the passwords of data services that a cluster does not run itself.
 */
export function notGenerated(config: Record<string, unknown>, { entries }: EnvFile): SecretName[] {
  const externalStorage = entries.has("S3_ENDPOINT") || "S3_ENDPOINT" in Object(config.variables);
  const external = Object(config.external) as object;
  return [
    ...(externalStorage || config.target === "kubernetes"
      ? (["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"] as const)
      : []),
    ...("postgres" in external ? (["POSTGRES_PASSWORD"] as const) : []),
    ...("redis" in external ? (["REDIS_PASSWORD"] as const) : []),
  ];
}

/** The variables that a source gives, `.env` before the stack's settings, and what is wrong with them. */
export function givenVariables(target: Target, configured: unknown, { entries, name: file }: EnvFile) {
  const texts = new Map(Object.entries(configured ?? {}).map(([key, value]) => [key, String(value)]));
  const given: Partial<Record<VariableName, string>> = {};
  const problems: Problem[] = [];
  for (const name of VARIABLES) {
    const entry = entries.get(name);
    const value = entry?.value ?? texts.get(name);
    if (value === undefined) continue;
    given[name] = value;
    const what = variableFault(name, value, target);
    const place = entry === undefined ? `rejourney:variables.${name}` : `line ${entry.line} of ${file}`;
    if (what !== undefined) problems.push({ key: name, what, fix: `correct ${place}, or remove it` });
  }
  return { given, problems };
}

/** What `.env` gives beside secrets. */
export function givenBeside({ entries }: EnvFile): Record<string, string> {
  const names = [RELEASE_VARIABLE, ...VARIABLES].filter((name) => entries.has(name));
  return Object.fromEntries(names.map((name) => [name, entries.get(name)!.value]));
}

/** An external S3 asks for all that leads to it. */
export function missingStorage(
  target: Target,
  variables: Partial<Record<VariableName, string>>,
  secrets: readonly string[],
  file: string,
): Problem[] {
  if (variables.S3_ENDPOINT === undefined) return [];
  const there = [...Object.keys(variables), ...secrets];
  const otherwise = target === "docker" ? "use the built-in S3" : "use only the table storage_endpoints";
  return ["S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"]
    .filter((key) => !there.includes(key))
    .map((key) => ({
      key,
      what: "is missing; S3_ENDPOINT names an external S3",
      fix: `add ${key} to ${file}, or remove S3_ENDPOINT to ${otherwise}`,
    }));
}

/** Keys of `.env` that mean nothing here: a problem where one resembles a known key, else a warning. */
export function unknownEnvKeys({ entries, name: file }: EnvFile) {
  const known: readonly string[] = [...SECRET_NAMES, ...VARIABLES, RELEASE_VARIABLE];
  const problems: Problem[] = [];
  const warnings: string[] = [];
  for (const [key, { line }] of entries) {
    if (known.includes(key)) continue;
    if ((DERIVED as readonly string[]).includes(key)) {
      warnings.push(
        `${key} (${file} line ${line}) is only for docker compose --env-file; this program derives it from the password.`,
      );
      continue;
    }
    const near = nearest(key, known);
    if (near === undefined) warnings.push(`${key} (${file} line ${line}) is unknown and is not used.`);
    else
      problems.push({
        key,
        what: `is unknown (did you mean ${near}?)`,
        fix: `rename ${key} in line ${line} of ${file} to ${near}, or remove it`,
      });
  }
  return { problems, warnings };
}

/** What the schema finds wrong with the stack's settings, which stand in `file`, or with the release in `.env`. */
export function configProblems(
  issue: z.core.$ZodIssue,
  { file, stack, env, shape }: { file: string; stack: string; env: EnvFile; shape: object },
): Problem[] {
  const keyOf = (path: readonly PropertyKey[]) => `rejourney:${path.map(String).join(".")}`;
  const release = env.entries.get(RELEASE_VARIABLE);
  if (issue.path[0] === "release" && release !== undefined)
    return [
      { key: RELEASE_VARIABLE, what: issue.message, fix: `correct line ${release.line} of ${env.name}` },
    ];
  if (issue.code !== "unrecognized_keys") {
    const key = keyOf(issue.path);
    if (issue.code === "invalid_type" && issue.input === undefined)
      return [{ key, what: "is missing", fix: `set it in ${file}` }];
    const what = issue.message.replace(/^Invalid input: /, "is invalid: ");
    return [{ key, what, fix: `correct it in ${file}` }];
  }
  const [at] = issue.path;
  const known =
    at === undefined ? [...Object.keys(shape), ...SECRET_NAMES] : at === "variables" ? VARIABLES : [];
  return issue.keys.map((key) => {
    const problem = (what: string, fix: string) => ({ key: keyOf([...issue.path, key]), what, fix });
    if (at === "variables" && isSecret(key))
      return problem(
        "is secret",
        `remove it from ${file}, then: ${command(stack, `pulumi config set --secret rejourney:${key}`)}`,
      );
    const near = nearest(key, known);
    return near === undefined
      ? problem("is unknown", `remove it from ${file}`)
      : problem(`is unknown (did you mean ${near}?)`, `rename it to ${near} in ${file}, or remove it`);
  });
}
