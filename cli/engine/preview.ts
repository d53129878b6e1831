import { log } from "../terminal/output.ts";
import { Progress } from "./progress.ts";
import { inWords } from "./pulumi-cli.ts";
import type { OpenStack } from "./stack.ts";

/** What a run of the engine would change. `refresh` compares with the cluster, too. */
export async function previewed(
  { stack, options, isOutdated }: OpenStack,
  refresh: boolean,
): Promise<Progress> {
  const progress = new Progress(log);
  const { onEvent } = progress;
  const run = stack.preview({ ...options, onEvent, ...(refresh && { refresh, runProgram: isOutdated }) });
  await inWords(run, () => progress.failed);
  return progress;
}
