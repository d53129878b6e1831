import { VARIABLES } from "../../infra/app/variables.ts";
import { command, shownEnvFile } from "../../infra/settings/command.ts";
import type { Settings } from "../../infra/settings/load.ts";
import { Failure } from "../terminal/output.ts";
import { revealedResources } from "./secret-slots.ts";
import { outputsOf, type Resource } from "./stack.ts";

/**
 * What is told where variables would go back to their defaults because `.env`, which gave them at the last `up`, no
 * longer does, as on another machine or in CI; undefined where none would.
 */
export async function lostVariables(
  resources: readonly Resource[],
  settings: Settings,
): Promise<string | undefined> {
  const { stack, givenVariables, variables } = settings;
  // Of nothing that runs, nothing changes.
  if (!resources.some(({ type }) => /^(command:|kubernetes:apps)/.test(type))) return undefined;
  const isLost = (name: string) => !givenVariables.some((given) => given === name);
  const { variablesFromEnv } = outputsOf(resources) as { variablesFromEnv?: string[] };
  if (variablesFromEnv !== undefined && !variablesFromEnv.some(isLost)) return undefined;
  const { environment = {} } = outputsOf(await revealedResources(stack)) as {
    environment?: Record<string, string>;
  };
  const names = VARIABLES.filter(
    (name) => environment[name] !== undefined && isLost(name) && environment[name] !== variables[name],
  );
  if (names.length === 0) return undefined;
  const file = shownEnvFile();
  return (
    `${names.join(", ")}: the deployment has the ${names.length === 1 ? "value" : "values"} that ${file} had; now no source gives ${names.length === 1 ? "it" : "them"}, so the default would be used.\n` +
    `  Fix: put ${names.length === 1 ? "it" : "them"} into ${file}, or, for every machine and CI, into rejourney:variables of Pulumi.${stack}.yaml; ${command(stack, "secrets export --env-file in-use.env")} writes the values in use\n` +
    `  To use the default: ${command(stack, "up --forget-variables")}`
  );
}

/** Throws Failure with what would be lost. */
export async function needVariables(resources: readonly Resource[], settings: Settings): Promise<void> {
  const lost = await lostVariables(resources, settings);
  if (lost !== undefined) throw new Failure(lost.replace("\n", " Nothing was changed.\n"));
}
