import { resolve } from "node:path";

/** The stack that a command is about when it names none. */
export const DEFAULT_STACK = "selfhosted";

/** Verbs that are npm scripts too. */
const SCRIPTS = ["up", "preview", "status", "down", "pulumi"];

/**
 * A command of this project as a person types it for this stack, and for the file of settings in use: `words` are its
 * verb and what follows, such as `secrets rotate JWT_SECRET`.
 */
export function command(stack: string, words: string): string {
  const [verb, ...given] = words.split(" ") as [string, ...string[]];
  const envFile = namedEnvFile();
  const args = [
    ...given,
    // The Pulumi CLI has no stack but the one that it is given.
    ...(stack === DEFAULT_STACK && verb !== "pulumi" ? [] : ["--stack", stack]),
    ...(envFile === undefined || verb === "pulumi" || given.includes("--env-file")
      ? []
      : ["--env-file", envFile]),
  ].join(" ");
  if (SCRIPTS.includes(verb)) return args === "" ? `npm run ${verb}` : `npm run ${verb} -- ${args}`;
  // Without `--`, Node takes --env-file for its own, and ends when the file does not exist.
  const npx = args.includes("--env-file") ? "npx -- rejourney" : "npx rejourney";
  return args === "" ? `${npx} ${verb}` : `${npx} ${verb} ${args}`;
}

/** The file of settings in use, as a word of a command that is shown. */
export function shownEnvFile(): string {
  return namedEnvFile() ?? ".env";
}

/** The one that `--env-file` names; relative to the project, as it is read. */
function namedEnvFile(): string | undefined {
  const { REJOURNEY_ENV_FILE: named } = process.env;
  return named === undefined ? undefined : quoted(resolve(import.meta.dirname, "../..", named));
}

/** A path as one word for a shell. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
