import { isUtf8 } from "node:buffer";
import { existsSync, lstatSync, readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { parse } from "dotenv";
import { SECRET_NAMES } from "../app/secrets.ts";
import { ownerOf } from "./owner.ts";
import { type Problem, SettingsError } from "./problem.ts";

export interface EnvEntry {
  /** As dotenv parses it: nothing is expanded, nothing is executed. */
  value: string;
  /** Line that the entry begins at, from 1. */
  line: number;
  /** Where its value stands in the text: from behind the `=` to before a comment. */
  span: readonly [start: number, end: number];
}

/** What stands in an `.env` file, key by key with its line. */
export interface EnvFile {
  /** The file's name for messages, such as `.env`. */
  name: string;
  text: string;
  entries: ReadonlyMap<string, EnvEntry>;
  /** Lines that dotenv would read otherwise than a person does, or not at all. */
  problems: readonly Problem[];
  /** Entries that `docker compose --env-file` reads otherwise than dotenv. */
  warnings: readonly string[];
}

/** Reads and parses the file; an absent one is an empty one. Throws SettingsError when it cannot be read whole. */
export function readEnvFile(path: string): EnvFile {
  if (!existsSync(path) && lstatSync(path, { throwIfNoEntry: false }) !== undefined)
    throw new SettingsError([
      {
        key: path,
        what: "is a link to a file that is not there",
        fix: "mount or restore that file, or remove the link",
      },
    ]);
  try {
    const name = basename(path);
    const file = parseEnvFile(existsSync(path) ? textOf(readFileSync(path), name) : "", name);
    const isOpen =
      SECRET_NAMES.some((secret) => file.entries.has(secret)) && (statSync(path).mode & 0o007) !== 0;
    return isOpen
      ? {
          ...file,
          warnings: [...file.warnings, `other users of this machine can read ${path}: chmod 600 ${path}`],
        }
      : file;
  } catch (error) {
    if (error instanceof SettingsError) throw error;
    const { code = "" } = error as NodeJS.ErrnoException;
    throw new SettingsError([
      code === "EACCES"
        ? {
            key: path,
            what: `belongs to ${ownerOf(path)} and is not readable`,
            fix: `run the command as that user, or: sudo chown ${process.getuid?.()} ${path}`,
          }
        : { key: path, what: `cannot be read (${code})`, fix: "name another file with --env-file" },
    ]);
  }
}

/** Bytes as text. Another encoding would become other characters, and be lost where the file is written again. */
function textOf(bytes: Buffer, name: string): string {
  if (/^(\xff\xfe|\xfe\xff)/.test(bytes.toString("latin1", 0, 2)))
    throw new SettingsError([
      { key: name, what: "is in UTF-16, not in UTF-8", fix: `save ${name} as UTF-8` },
    ]);
  if (isUtf8(bytes)) return bytes.toString("utf8");
  const lines = bytes.toString("latin1").split("\n");
  const line = lines.findIndex((text) => !isUtf8(Buffer.from(text, "latin1"))) + 1;
  throw new SettingsError([
    { key: `${name} line ${line}`, what: "is not in UTF-8", fix: `save ${name} as UTF-8` },
  ]);
}

// dotenv's own grammar, but without its liberty to look for a value on the next line.
const BLANK = /[ \t]*(?:#[^\r\n]*)?(?=[\r\n]|$)/y;
const KEY = /[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=/y;
const QUOTED = /([ \t]*(?:'(?:\\'|[^'])*'|"(?:\\"|[^"])*"|`(?:\\`|[^`])*`))[ \t]*(?:#[^\r\n]*)?(?=[\r\n]|$)/y;
const REST = /[^\r\n]*/y;
const LINE_BREAK = /\r\n?|\n/y;

/**
 * Parses the text of an `.env` file by dotenv, and finds each entry's place. A line that dotenv would skip in
 * silence, cut at a `#`, or let overwrite an earlier one is a problem.
 */
export function parseEnvFile(text: string, name = ".env"): EnvFile {
  const values = parse(text);
  const entries = new Map<string, EnvEntry>();
  const problems: Problem[] = [];
  const warnings: string[] = [];
  let line = 1;
  let at = text.startsWith("\uFEFF") ? 1 : 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };

  while (at < text.length) {
    const [start, first] = [at, line];
    const problem = (what: string, fix: string) => problems.push({ key: `${name} line ${first}`, what, fix });
    const key = take(BLANK) === null ? take(KEY)?.[1] : "";
    if (key === undefined) {
      take(REST);
      problem("is not of the form KEY=value", `correct line ${first} of ${name}`);
    } else if (key !== "") {
      const valueStart = at;
      const quoted = take(QUOTED)?.[1];
      const rest = quoted === undefined ? take(REST)![0] : "";
      const raw = quoted ?? rest.replace(/#.*/, "").trimEnd();
      const fault = unquotedFault(rest.trimStart());
      const before = entries.get(key);
      if (fault !== undefined) problem(`(${key}) ${fault}`, `put the value of ${key} in single quotes`);
      else if (before !== undefined)
        problem(`(${key}) repeats line ${before.line}`, `remove one of the two ${key} lines from ${name}`);
      if (raw.includes("$") && !raw.trimStart().startsWith("'"))
        warnings.push(
          `${key} in ${name} has a $ outside single quotes: this program does not expand it, but docker compose --env-file would.`,
        );
      entries.set(key, {
        value: values[key] ?? "",
        line: first,
        span: [valueStart, valueStart + raw.length],
      });
    }
    line += text.slice(start, at).match(/\r\n?|\n/g)?.length ?? 0;
    if (take(LINE_BREAK) !== null) line++;
  }
  if (/[\0\u2028\u2029]/.test(text))
    problems.push({
      key: name,
      what: "has a character that ends a line for some programs and not for others (NUL, U+2028 or U+2029)",
      fix: `type the values of ${name} again`,
    });
  return { name, text, entries, problems, warnings };
}

/** A line that gives the key this value, in quotes where it needs them; undefined where the form has no way to. */
export function envLine(key: string, value: string): string | undefined {
  const forms = [value, `'${value}'`, `"${value}"`, `\`${value}\``].map((form) => `${key}=${form}`);
  const read = forms.map((line) => ({ line, ...parseEnvFile(`${line}\n`) }));
  const right = read.filter(
    ({ entries, problems }) =>
      problems.length === 0 && entries.size === 1 && entries.get(key)?.value === value,
  );
  return (right.find(({ warnings }) => warnings.length === 0) ?? right[0])?.line;
}

/** The text of the file with another value for a key that it has; undefined where the form has no way to write it. */
export function withValue({ text, entries }: EnvFile, key: string, value: string): string | undefined {
  const { span } = entries.get(key)!;
  const form = envLine(key, value)?.slice(`${key}=`.length);
  return form === undefined ? undefined : text.slice(0, span[0]) + form + text.slice(span[1]);
}

/** What is wrong with a value that stands without quotes, or behind an opening one alone. */
function unquotedFault(rest: string): string | undefined {
  if (/^['"`]/.test(rest)) return "has a quote that does not end with the value";
  if (/[^ \t]#/.test(rest)) return "has a # without quotes, at which the value would be cut";
  return undefined;
}
