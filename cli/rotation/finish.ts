import type { SecretName } from "../../infra/app/secrets.ts";
import type { ClusterApi } from "../../infra/cluster/api.ts";
import type { Settings } from "../../infra/settings/load.ts";
import { revealedResources } from "../engine/secret-slots.ts";
import { exportedText, openStack, type Resource } from "../engine/stack.ts";
import { keepRotations, needNoOpenRotation, rotationsIn } from "../secrets/rotation-record.ts";
import { writeBundle } from "../state/recovery-bundle.ts";
import { confirm } from "../terminal/confirm.ts";
import type { UpOptions } from "../terminal/options.ts";
import { Failure, print, printJson } from "../terminal/output.ts";
import { withDatabase } from "./database.ts";
import { openableRows } from "./storage-keys.ts";

/**
 * Forgets the value that a rotation has replaced, once nothing needs it. `reach` gives the API server of a cluster, where
 * there is something to forget. Throws Failure, with nothing changed, while a row needs it.
 */
export async function finishRotation(
  names: readonly SecretName[],
  settings: Settings,
  reach: (resources: readonly Resource[]) => Promise<ClusterApi | undefined>,
  { stack, json, yes }: UpOptions,
): Promise<void> {
  const { resources } = await openStack(stack);
  needNoOpenRotation(resources, stack);
  const rotations = rotationsIn(await revealedResources(stack));
  const { open, retired } = rotations;
  if (open === undefined || names.join() !== open.secret)
    throw new Failure(`No old value of ${names.join(", ")} is kept; nothing was changed.`);
  const api = await reach(resources);
  const rows = await withDatabase(settings, api, (psql) => openableRows(psql, { from: open.to }));
  const question = `All ${rows} rows use the new key. A database backup from before ${open.begun} needs the old key. After this, only older recovery bundles contain it. Delete it?`;
  if (!yes && !(await confirm(question)))
    throw new Failure("Nothing was changed. To skip the prompt, add --yes to the same command");
  await keepRotations(stack, rotations, { retired });
  await writeBundle(stack, await exportedText(stack));
  if (json) printJson({ stack, finished: open.secret, rows });
  else print(`The old ${open.secret} is deleted; all ${rows} rows use the new one.\n`);
}
