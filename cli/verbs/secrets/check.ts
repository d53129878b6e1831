import { GENERATED_SECRETS, SECRET_NAMES, type SecretName } from "../../../infra/app/secrets.ts";
import { isGeneratedHere } from "../../../infra/settings/generated.ts";
import { loadSettings, type Settings } from "../../../infra/settings/load.ts";
import { fileInput } from "../../../infra/settings/sources.ts";
import type { Options } from "../../terminal/options.ts";
import { log, print, printJson } from "../../terminal/output.ts";

/** Checks the stack's settings and `.env`. Throws SettingsError with all problems at once. */
export function secretsCheck({ stack, json }: Options): void {
  const settings = loadSettings(fileInput(stack));
  const { warnings } = settings;
  const rows = SECRET_NAMES.map((name) => ({ name, status: statusOf(name, settings) }));
  if (json) {
    printJson({ secrets: rows, warnings });
    return;
  }
  for (const warning of warnings) log(`Warning: ${warning}`);
  const width = Math.max(...SECRET_NAMES.map((name) => name.length));
  for (const { name, status } of rows) print(`${name.padEnd(width)}  ${status}\n`);
}

function statusOf(name: SecretName, settings: Settings): string {
  const { secrets, encrypted } = settings;
  if (name in secrets) return "good";
  if (encrypted.includes(name)) return "encrypted, checked during up";
  if (!GENERATED_SECRETS.includes(name)) return "absent, optional";
  if (isGeneratedHere(name, settings)) return "absent, will be generated";
  return name.startsWith("S3_") ? "absent, optional" : "absent, required unless the stack has it";
}
