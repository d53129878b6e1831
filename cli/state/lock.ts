import { existsSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { command } from "../../infra/settings/command.ts";
import { Failure, log } from "../terminal/output.ts";
import { filesIn } from "./folder.ts";

/** What the file backend writes into a lock. */
export interface Lock {
  pid: number;
  hostname: string;
  username: string;
  timestamp: string;
}

/** Milliseconds after which a run that holds the state is waited for no longer. */
const PATIENCE = 30 * 60_000;
const SAY_EVERY = 15_000;

/**
 * Makes way for a run on a local state. A lock whose process on this host is dead is removed (the backend leaves it
 * behind after a SIGKILL); one that lives is waited for. Throws Failure for a lock of another host.
 */
export async function settleLocks(state: string, stack: string): Promise<void> {
  const folder = join(state, ".pulumi", "locks", "organization", "rejourney", stack);
  const deadline = Date.now() + PATIENCE;
  for (let said = 0; ; await sleep(500)) {
    const held = filesIn(folder, /\.json$/).flatMap((file) => {
      const lock = read(file);
      return lock === undefined || removedAsDead(file, lock) ? [] : [lock];
    });
    const lock = held[0];
    if (lock === undefined) return;
    const { pid } = lock;
    if (lock.hostname !== hostname()) throw lockedBy(lock, stack);
    if (Date.now() > deadline)
      throw new Failure(`The run with process id ${pid} still has the state locked; nothing was changed.`);
    if (Date.now() - said > SAY_EVERY) {
      log(`Another run (process ${pid}) is changing this stack; waiting for it to end …`);
      said = Date.now();
    }
  }
}

/** What is told of the lock of a run elsewhere. */
export function lockedBy({ username, hostname: host, pid, timestamp }: Lock, stack: string): Failure {
  const minutes = Math.floor((Date.now() - Date.parse(timestamp)) / 60_000);
  const age = minutes < 120 ? `${minutes} minutes` : `${Math.floor(minutes / 60)} hours`;
  return new Failure(
    `${username} on ${host} (process ${pid}) has locked the state of the stack ${stack} since ${timestamp}, ${age} ago; nothing was changed.\n` +
      `  Fix: wait for that run; if it is no longer active: ${command(stack, "pulumi cancel --yes")}`,
  );
}

function removedAsDead(file: string, { hostname: host, pid }: Lock): boolean {
  if (host !== hostname() || isEngine(pid)) return false;
  log(`Removing the lock of a run that no longer exists (process ${pid}).`);
  for (const path of [`${file}.attrs`, file]) rmSync(path, { force: true });
  return true;
}

function read(file: string): Lock | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Lock;
  } catch {
    return undefined; // gone, or being written
  }
}

// The number may belong to another program by now, so the name counts too. Without /proc, the number alone.
function isEngine(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  if (!existsSync("/proc/self/comm")) return true;
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("pulumi");
  } catch {
    return false;
  }
}
