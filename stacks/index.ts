import * as pulumi from "@pulumi/pulumi";
import { loadSettings, type Settings } from "../infra/settings/load.ts";
import { SettingsError } from "../infra/settings/problem.ts";
import { engineInput } from "../infra/settings/sources.ts";
import { selfhosted } from "./selfhosted.ts";

/** The program that the engine runs. Throws before it registers the first resource when the settings are wrong. */
export default async function program() {
  const settings = settingsOfRun();
  if (settings.target === "kubernetes")
    throw new pulumi.RunError(`The stack ${settings.stack} is a cluster, which cannot be deployed yet.`);
  for (const warning of settings.warnings) await pulumi.log.warn(warning);
  return selfhosted(settings);
}

function settingsOfRun(): Settings {
  try {
    return loadSettings(engineInput(pulumi.getStack(), pulumi.runtime.allConfig()));
  } catch (error) {
    // The engine shows the message of a RunError alone, and of any other error the stack trace too.
    throw error instanceof SettingsError ? new pulumi.RunError(error.message) : error;
  }
}
