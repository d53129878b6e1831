import { existsSync } from "node:fs";
import { envLine } from "../../../infra/settings/env.ts";
import { envPath, stackConfig } from "../../../infra/settings/sources.ts";
import { confirm } from "../../terminal/confirm.ts";
import type { Options } from "../../terminal/options.ts";
import { Failure, print, printJson } from "../../terminal/output.ts";
import { replaceFile } from "../../state/replace-file.ts";
import { revealedResources, valuesIn } from "../../engine/secret-slots.ts";
import { outputsOf } from "../../engine/stack.ts";

export interface ExportOptions extends Options {
  yes: boolean;
  /** Take the values of the cluster's Secrets in place of those of the state. */
  fromCluster: boolean;
}

/**
 * Makes `.env` again from what the stack holds, or its cluster. Throws Failure, with nothing written, where one is there
 * already.
 */
export async function secretsExport({ stack, json, yes, fromCluster }: ExportOptions): Promise<void> {
  const path = envPath();
  if (existsSync(path))
    throw new Failure(
      `${path} already exists; nothing was changed.\n  Fix: move it away, or name another file with --env-file`,
    );
  const values = Object.entries(fromCluster ? await valuesOfCluster(stack) : await valuesOfState(stack));
  const lines = values.map(([name, value]) => {
    const line = envLine(name, value);
    if (line !== undefined) return line;
    throw new Failure(
      `An .env file cannot hold the value of ${name}: it contains every kind of quote, or a carriage return. Nothing was written.`,
    );
  });
  const question = `This writes ${lines.length} values of the stack ${stack}, including secrets, in plain text to ${path}. Continue?`;
  if (!yes && !(await confirm(question)))
    throw new Failure("Nothing was written. To skip the prompt, add --yes to the same command");
  replaceFile(path, lines.map((line) => `${line}\n`).join(""));
  const names = values.map(([name]) => name);
  if (json) printJson({ stack, file: path, names });
  else print(`Wrote ${names.length} values to ${path}, readable only by its owner.\n`);
}

async function valuesOfState(stack: string): Promise<Record<string, string>> {
  const revealed = await revealedResources(stack);
  const beside = (outputsOf(revealed).environment ?? {}) as Record<string, string>;
  return { ...beside, ...valuesIn(revealed) };
}

async function valuesOfCluster(stack: string): Promise<Record<string, string>> {
  const { context } = stackConfig(stack) as { context?: string };
  const { allowed, reachedCluster } = await import("../../cluster/connection.ts");
  const { servedSecrets } = await import("../../cluster/secrets.ts");
  const found = await allowed(servedSecrets(await reachedCluster({ context, stack })));
  if (Object.keys(found).length === 0)
    throw new Failure(`The cluster of the stack ${stack} has no Secrets of Rejourney. Nothing was written.`);
  return found;
}
