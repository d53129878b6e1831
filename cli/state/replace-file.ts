import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { Failure } from "../terminal/output.ts";

/**
 * Puts the content in the file's place in one step. A file keeps its owner, and its mode unless every user
 * of the machine may read it; else, and a new one, it is readable only by its owner. A link stays a link. Throws Failure, with the file as it was, when that does not work out.
 */
export function replaceFile(path: string, text: string | Uint8Array): void {
  const isThere = existsSync(path);
  const target = isThere ? realpathSync(path) : path;
  const partial = `${target}.${process.pid}.partial`;
  try {
    removeLeftovers(target);
    writeFileSync(partial, text, { mode: 0o600, flush: true, flag: "wx" });
    if (isThere) {
      const { uid, gid, mode } = statSync(target);
      if (process.getuid?.() === 0) chownSync(partial, uid, gid);
      if ((mode & 0o007) === 0) chmodSync(partial, mode & 0o777);
    }
    renameSync(partial, target);
  } catch (error) {
    rmSync(partial, { force: true });
    throw new Failure(`Cannot write ${target}: ${(error as Error).message}. It is unchanged.`);
  }
}

/** Removes what a run left that was killed before its last step. */
function removeLeftovers(target: string): void {
  const folder = dirname(target);
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(`${basename(target)}.`)) continue;
    const pid = /\.(\d+)\.partial$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(folder, name));
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
