import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds between two looks, and between two words on what is waited for. */
const LOOK_EVERY = 500;
const SAY_EVERY = 15_000;

/**
 * Waits until no other process on this machine works on the project on its Docker host, and holds it until this one ends: a run that was
 * killed may have left a process that is still at work. The lock is a Linux abstract socket, which the kernel takes
 * back whichever way its holder ends. Other systems have none, and nothing is locked there.
 */
export async function exclusive(project: string, say: (line: string) => void): Promise<void> {
  if (process.platform !== "linux") return;
  const { DOCKER_HOST, DOCKER_CONTEXT } = process.env;
  const what = JSON.stringify([DOCKER_HOST, DOCKER_CONTEXT, project]);
  // A hash, since such a name has room for 107 bytes.
  const name = `\0rejourney-${createHash("sha256").update(what).digest("hex")}`;
  for (let waited = 0; !(await taken(name)); waited += LOOK_EVERY) {
    if (waited % SAY_EVERY === 0)
      say("An earlier run is still changing the containers; waiting for it to end …");
    await sleep(LOOK_EVERY);
  }
}

function taken(name: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen(name, () => {
      server.unref();
      resolve(true);
    });
  });
}
