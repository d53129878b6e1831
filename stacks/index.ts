import * as pulumi from "@pulumi/pulumi";
import { loadSettings, type Settings } from "../infra/settings/load.ts";
import { SettingsError } from "../infra/settings/problem.ts";
import { engineInput } from "../infra/settings/sources.ts";

// The SDK takes a stack trace for every promise, and looks each of its lines up in source maps, a fifth of the program's
// time. There are none to look up: Node takes the types out of this program without moving a line.
Reflect.deleteProperty(Error, "prepareStackTrace");

/** The program that the engine runs. Throws before it registers the first resource when the settings are wrong. */
export default async function program() {
  const settings = settingsOfRun();
  for (const warning of settings.warnings) await pulumi.log.warn(warning);
  // Each loaded where it is used: the types of Kubernetes take their time.
  return settings.target === "kubernetes"
    ? (await import("./prod.ts")).prod(settings)
    : (await import("./selfhosted.ts")).selfhosted(settings);
}

function settingsOfRun(): Settings {
  try {
    return loadSettings(engineInput(pulumi.getStack(), pulumi.runtime.allConfig()));
  } catch (error) {
    // The engine shows the message of a RunError alone, and of any other error the stack trace too.
    throw error instanceof SettingsError ? new pulumi.RunError(error.message) : error;
  }
}
