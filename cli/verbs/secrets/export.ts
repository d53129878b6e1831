import { existsSync } from "node:fs";
import { envLine } from "../../../infra/settings/env.ts";
import { envPath } from "../../../infra/settings/sources.ts";
import { confirm } from "../../terminal/confirm.ts";
import type { Options } from "../../terminal/options.ts";
import { Failure, print, printJson } from "../../terminal/output.ts";
import { replaceFile } from "../../state/replace-file.ts";
import { revealedResources, valuesIn } from "../../engine/secret-slots.ts";
import { outputsOf } from "../../engine/stack.ts";

export interface ExportOptions extends Options {
  yes: boolean;
}

/** Makes `.env` again from what the stack holds. Throws Failure, with nothing written, where one is there already. */
export async function secretsExport({ stack, json, yes }: ExportOptions): Promise<void> {
  const path = envPath();
  if (existsSync(path))
    throw new Failure(
      `${path} already exists; nothing was changed.\n  Fix: move it away, or name another file with --env-file`,
    );
  const revealed = await revealedResources(stack);
  const beside = (outputsOf(revealed).environment ?? {}) as Record<string, string>;
  const values = Object.entries({ ...beside, ...valuesIn(revealed) });
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
