import { existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { LineCounter, parse, parseDocument, visit } from "yaml";
import { SECRET_NAMES } from "../app/secrets.ts";
import { ENCRYPTED } from "./check.ts";
import { readEnvFile } from "./env.ts";
import type { TakenImages, SettingsInput } from "./load.ts";
import { nearest } from "./nearest.ts";
import { type Problem, SettingsError } from "./problem.ts";

/** The folder of this project. */
export const projectRoot = resolve(import.meta.dirname, "../..");

const PREFIX = "rejourney:";

/** Path of the `.env` in use: REJOURNEY_ENV_FILE, which `--env-file` sets, else `.env` in the project's folder. */
export function envPath(): string {
  return resolve(projectRoot, process.env.REJOURNEY_ENV_FILE ?? ".env");
}

/**
 * What the files say, as far as it can be read without the engine. Throws SettingsError when a file that was
 * named is not there, or cannot be read.
 */
export function fileInput(stack: string): SettingsInput {
  return { stack, config: stackConfig(stack), env: readEnv(), taken: readTaken(stack) };
}

/** Path of the images that `up` has taken. */
export function takenPath(stack: string): string {
  return join(projectRoot, ".rejourney", stack, "images.json");
}

function readTaken(stack: string): TakenImages | undefined {
  const path = takenPath(stack);
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, "utf8")) as TakenImages;
  } catch {
    throw new SettingsError([{ key: path, what: "is not valid JSON", fix: "remove it, then retry" }]);
  }
}

/** The settings in `Pulumi.<stack>.yaml`, without the `rejourney:` before each key. Throws SettingsError. */
export function stackConfig(stack: string): Record<string, unknown> {
  return readStackFile(join(projectRoot, `Pulumi.${stack}.yaml`));
}

/** What the engine hands to the program: every setting as a text, objects as JSON, secrets in the clear. */
export function engineInput(stack: string, config: Record<string, string>): SettingsInput {
  const secret: readonly string[] = SECRET_NAMES;
  const entries = Object.entries(unprefixed(config)).map(([key, value]) => [
    key,
    secret.includes(key) ? value : fromJson(value),
  ]);
  const values = Object.fromEntries(entries) as Record<string, unknown>;
  return { stack, config: values, env: readEnv(), taken: readTaken(stack) };
}

/** The variable by which `up` hands over which Docker host it deploys to, as JSON. */
export const HOST_VARIABLE = "REJOURNEY_DOCKER_HOST";

/** Which Docker host this run of the engine deploys to; empty where nobody said. */
export function hostOfRun(): object {
  return JSON.parse(process.env[HOST_VARIABLE] ?? "{}") as object;
}

function readEnv() {
  const path = envPath();
  if (process.env.REJOURNEY_ENV_FILE !== undefined && !existsSync(path))
    throw new SettingsError([
      { key: path, what: "does not exist", fix: "name an existing file with --env-file" },
    ]);
  return readEnvFile(path);
}

function readStackFile(path: string): Record<string, unknown> {
  const name = basename(path);
  const fault = (what: string) => new SettingsError([{ key: name, what, fix: `correct ${name}` }]);
  if (!existsSync(path))
    throw new SettingsError([
      { key: name, what: "does not exist", fix: "name an existing stack with --stack" },
    ]);
  const text = readFileSync(path, "utf8");
  let file: unknown;
  try {
    file = parse(text);
  } catch (error) {
    const { linePos } = error as { linePos?: [{ line: number }] };
    throw fault(`is not valid YAML (line ${linePos?.[0].line ?? "unknown"})`);
  }
  const config = (file as { config?: unknown } | null)?.config;
  if (typeof config !== "object" || config === null || Array.isArray(config))
    throw fault("has no settings below `config:`");
  const given = config as Record<string, unknown>;
  const problems = [...keyProblems(Object.keys(given), name), ...ambiguous(text, name), ...ofProject(name)];
  if (problems.length > 0) throw new SettingsError(problems);
  const entries = Object.entries(unprefixed(given)).map(([key, value]) => [
    key,
    isEncrypted(value) ? ENCRYPTED : value,
  ]);
  return Object.fromEntries(entries) as Record<string, unknown>;
}

/** Keys whose namespace is misspelt, and those that the engine has twice. Another namespace is a plugin's. */
function keyProblems(keys: readonly string[], file: string): Problem[] {
  return keys.flatMap((key): Problem[] => {
    const [, namespace, name] = /^(?:([^:]*):)?(.*)$/.exec(key)!;
    const full = PREFIX + name;
    if (namespace === undefined)
      return keys.includes(full)
        ? [{ key, what: `repeats ${full}`, fix: `remove one of the two from ${file}` }]
        : [];
    if (key === full || nearest(`${namespace}:`, [PREFIX]) === undefined) return [];
    const what = `is unknown (did you mean ${full}?)`;
    return [{ key, what, fix: `rename it to ${full} in ${file}, or remove it` }];
  });
}

/** Octal, binary and base-60 numbers and dates of YAML 1.1, which the engine reads; in YAML 1.2 they are others. */
const AMBIGUOUS = /^[-+]?0[0-9_]+$|^[-+]?0b|^[-+]?\d+(:\d+)+$|^\d{4}-\d\d?-\d\d?/;

function ambiguous(text: string, file: string): Problem[] {
  const problems: Problem[] = [];
  const lineCounter = new LineCounter();
  visit(parseDocument(text, { lineCounter }), {
    Scalar(_, { type, source = "", range }) {
      if (type !== "PLAIN" || !AMBIGUOUS.test(source)) return;
      const { line } = lineCounter.linePos(range![0]);
      const what = "has a number with a leading zero, a time or a date, which Pulumi reads as another value";
      problems.push({ key: `${file} line ${line}`, what, fix: "put it in quotes" });
    },
  });
  return problems;
}

/** The engine adds what Pulumi.yaml gives to the settings of every stack. */
function ofProject(file: string): Problem[] {
  const path = join(projectRoot, "Pulumi.yaml");
  const { config = {} } = (existsSync(path) ? parse(readFileSync(path, "utf8")) : {}) as {
    config?: object;
  };
  return Object.keys(unprefixed({ ...config })).map((key) => ({
    key: `${PREFIX}${key}`,
    what: "is in Pulumi.yaml, where this program does not look",
    fix: `move it to ${file}`,
  }));
}

/** The settings of this project. To the engine, a key without a namespace is of the project, too. */
function unprefixed<T>(config: Record<string, T>): Record<string, T> {
  const own = Object.entries(config).filter(([key]) => key.startsWith(PREFIX) || !key.includes(":"));
  return Object.fromEntries(own.map(([key, value]) => [key.replace(PREFIX, ""), value]));
}

function isEncrypted(value: unknown): boolean {
  return typeof value === "object" && value !== null && "secure" in value;
}

function fromJson(text: string): unknown {
  if (!/^[{[]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
