import { loadSettings, type Settings } from "../../infra/settings/load.ts";
import { fileInput } from "../../infra/settings/sources.ts";
import { log } from "./output.ts";

/** The settings of a stack, with its warnings told. Throws SettingsError. */
export function checkedSettings(stack: string): Settings {
  const settings = loadSettings(fileInput(stack));
  for (const warning of settings.warnings) log(`Warning: ${warning}`);
  return settings;
}
