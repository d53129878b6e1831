import { existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parse } from "yaml";
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
  let file: unknown;
  try {
    file = parse(readFileSync(path, "utf8"));
  } catch (error) {
    const { linePos } = error as { linePos?: [{ line: number }] };
    throw fault(`is not valid YAML (line ${linePos?.[0].line ?? "unknown"})`);
  }
  const config = (file as { config?: unknown } | null)?.config;
  if (typeof config !== "object" || config === null || Array.isArray(config))
    throw fault("has no settings below `config:`");
  const given = config as Record<string, unknown>;
  const problems = keyProblems(Object.keys(given), name);
  if (problems.length > 0) throw new SettingsError(problems);
  const entries = Object.entries(unprefixed(given)).map(([key, value]) => [
    key,
    isEncrypted(value) ? ENCRYPTED : value,
  ]);
  return Object.fromEntries(entries) as Record<string, unknown>;
}

/** Namespaces of keys that the engine or its plugins read. */
const OTHERS = ["pulumi", "kubernetes", "random", "command", "cloudflare"];

/** Keys that neither this project nor the engine reads, and those that the engine has twice. */
function keyProblems(keys: readonly string[], file: string): Problem[] {
  return keys.flatMap((key): Problem[] => {
    const [, namespace, name] = /^(?:([^:]*):)?(.*)$/.exec(key)!;
    const full = PREFIX + name;
    if (namespace === undefined)
      return keys.includes(full)
        ? [{ key, what: `repeats ${full}`, fix: `remove one of the two from ${file}` }]
        : [];
    if (key === full || OTHERS.includes(namespace)) return [];
    const near = nearest(`${namespace}:`, [PREFIX]) && full;
    return [
      near === undefined
        ? { key, what: "is unknown", fix: `remove it from ${file}` }
        : {
            key,
            what: `is unknown (did you mean ${near}?)`,
            fix: `rename it to ${near} in ${file}, or remove it`,
          },
    ];
  });
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
