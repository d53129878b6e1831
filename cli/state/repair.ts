import { copyFileSync, existsSync, globSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { log } from "../terminal/output.ts";
import { stateFile } from "./folder.ts";

/**
 * Repairs what a run that was ended in the middle may leave of a local state. Beside each file the backend writes its
 * attributes (`.attrs`), not all at once; one that is cut off makes the whole state unreadable, and none is needed.
 * The state itself is replaced at once, but not flushed, so that a machine that lost its power may find it empty; the
 * copy beside it (`.bak`) lacks the last step at most, and a step is on record before it begins.
 */
export function repairState(state: string, stack: string): void {
  for (const path of globSync("**/*.attrs", { cwd: join(state, ".pulumi") })) {
    const file = join(state, ".pulumi", path);
    if (!isWhole(file)) rmSync(file, { force: true });
  }
  const file = stateFile(state, stack);
  const copy = `${file}.bak`;
  if (!existsSync(copy) || isWhole(file) || !isWhole(copy)) return;
  log("The state file is incomplete because a run was interrupted; resuming from its last copy.");
  const partial = `${file}.${process.pid}`;
  copyFileSync(copy, partial);
  renameSync(partial, file);
}

function isWhole(file: string): boolean {
  try {
    JSON.parse(readFileSync(file, "utf8"));
    return true;
  } catch {
    return false;
  }
}
