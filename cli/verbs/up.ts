import { needVariables } from "../engine/lost-variables.ts";
import { slotsToFill } from "../engine/secret-slots.ts";
import { needNoOpenRotation } from "../secrets/rotation-record.ts";
import type { UpOptions } from "../terminal/options.ts";
import { prepare } from "./prepare.ts";

/** Brings a stack to what its settings say. */
export async function up(options: UpOptions): Promise<void> {
  const deployment = await prepare(options);
  const { settings, open } = deployment;
  needNoOpenRotation(open.resources, settings.stack);
  if (!options.forgetVariables) await needVariables(open.resources, settings);
  const slots = await slotsToFill(open.resources, settings);
  await deployment.ready();
  await deployment.settle(await deployment.apply(slots));
}
