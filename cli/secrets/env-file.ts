import { existsSync } from "node:fs";
import { parseEnvFile, readEnvFile, withValue } from "../../infra/settings/env.ts";
import { envPath } from "../../infra/settings/sources.ts";
import { log } from "../terminal/output.ts";
import { replaceFile } from "../state/replace-file.ts";

/** Gives `.env` these values for the keys that it has, in one step. Where it has none, the stack has them alone. */
export function takeIntoEnvFile(values: Readonly<Record<string, string>>): void {
  if (!existsSync(envPath())) return;
  let env = readEnvFile(envPath());
  const written: string[] = [];
  for (const name of Object.keys(values).filter((name) => env.entries.has(name))) {
    const text = withValue(env, name, values[name]!);
    if (text === undefined) log(`Warning: ${env.name} cannot hold the new ${name}; it keeps the old one.`);
    else {
      env = parseEnvFile(text, env.name);
      written.push(name);
    }
  }
  if (written.length === 0) return;
  replaceFile(envPath(), env.text);
  log(`${env.name} has the new ${written.join(", ")}.`);
}
