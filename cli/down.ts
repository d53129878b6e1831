import { loadDockerSettings } from "../infra/settings/load.ts";
import { fileInput } from "../infra/settings/sources.ts";
import { confirm } from "./confirm.ts";
import { inWords } from "./engine.ts";
import type { Options } from "./main.ts";
import { Failure, log } from "./output.ts";
import { Progress, summary } from "./progress.ts";
import { openStack } from "./stack.ts";

export interface DownOptions extends Options {
  yes: boolean;
}

/** Takes back what `up` made. The secrets in the state stay, since the data depends on them. */
export async function down({ stack: name, yes, json }: DownOptions): Promise<void> {
  loadDockerSettings(fileInput(name));
  if (!yes && !(await confirm(`This takes down the stack ${name}; its secrets stay. Go on?`)))
    throw new Failure(
      `Nothing was changed. To go on without being asked: npm run down -- --stack ${name} --yes`,
    );
  const { stack, options } = await openStack(name);
  const progress = new Progress(log);
  const { onEvent } = progress;
  const run = stack.destroy({ ...options, onEvent, excludeProtected: true });
  const { summary: result } = await inWords(run, () => progress.failed);
  const changes = result.resourceChanges ?? {};
  if (json) process.stdout.write(`${JSON.stringify({ stack: name, summary: changes })}\n`);
  else
    process.stdout.write(
      `${summary(changes, true)}\nThe secrets are kept. npm run up brings everything back.\n`,
    );
}
