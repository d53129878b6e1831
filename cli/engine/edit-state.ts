import { command } from "../../infra/settings/command.ts";
import { Failure } from "../terminal/output.ts";
import { exportedText, replaceState, type Resource, wrapped } from "./stack.ts";

/**
 * Gives resources of the type Stash another value, in one step that either is in the state or is not; `values` has them
 * by the end of their URN. A run of the engine leaves the value as it is, and brings what depends on it there. Throws
 * Failure when one of them is not in the state, and what `check` throws when it sees the resources before.
 */
export async function editStashes(
  stack: string,
  values: Readonly<Record<string, unknown>>,
  check: (resources: readonly Resource[]) => void,
): Promise<void> {
  const before = await exportedText(stack);
  const state = JSON.parse(before) as { deployment: { resources: Resource[] } };
  check(state.deployment.resources);
  for (const [name, value] of Object.entries(values)) {
    const stash = state.deployment.resources.find(({ urn }) => urn.endsWith(`::${name}`));
    if (stash === undefined)
      throw new Failure(
        `The state has no ${name}, because an older version of this program wrote it; nothing was changed.\n` +
          `  Fix: ${command(stack, "up")}`,
      );
    stash.inputs = { input: value };
    stash.outputs = { input: value, output: value };
  }
  await replaceState(stack, before, JSON.stringify(state));
}

/** A text that the engine encrypts before it is written anywhere. */
export const secret = (text: string): unknown => wrapped(JSON.stringify(text));
