import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, mkdirSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { SetupError } from "./error.ts";
import type { Log } from "./log.ts";

export interface Download {
  /** A `.tar.gz`. */
  url: string;
  /** What its SHA-256 has to be. */
  sha256: string;
  /** Where it is unpacked to; put in place by a rename. */
  folder: string;
  log: Log;
}

/** Milliseconds after which a server counts as out of reach. */
const REACHABLE = 5000;
const ATTEMPTS = 3;
/** Milliseconds before a further attempt. */
const PAUSE = 2000;

/** Whether a server answers at all, if need be through the proxy of HTTPS_PROXY. */
export async function isWithinReach(url: string): Promise<boolean> {
  const request = fetch(url, { method: "HEAD", signal: AbortSignal.timeout(REACHABLE) });
  return request.then(
    () => true,
    () => false,
  );
}

/** What `work` gives, tried again while it fails. Throws SetupError with the reason of the last failure. */
export async function retried<T>(what: string, work: () => Promise<T>, log: Log): Promise<T> {
  for (let attempt = 1; ; attempt++)
    try {
      return await work();
    } catch (error) {
      const reason = reasonOf(error as Error);
      if (attempt === ATTEMPTS)
        throw new SetupError(`${what} failed ${ATTEMPTS} times; the last time: ${reason}`);
      log(`  ${reason}; retrying …`);
      await sleep(PAUSE * attempt);
    }
}

/** Of a failed `fetch`, its message says nothing, but its cause. */
function reasonOf({ message, cause }: Error): string {
  return cause instanceof Error ? cause.message : message;
}

/**
 * Downloads an archive, compares it with its checksum and unpacks it. Throws SetupError when the server has another one
 * than is pinned, or none, or breaks off again and again.
 */
export async function download(asked: Download): Promise<void> {
  const name = basename(new URL(asked.url).pathname);
  asked.log(`Downloading ${name} …`);
  await retried(`Downloading ${name}`, () => unpacked(name, asked), asked.log);
}

async function unpacked(name: string, { url, sha256, folder }: Download): Promise<void> {
  const partial = `${folder}.${process.pid}.partial`;
  mkdirSync(partial, { recursive: true });
  try {
    const archive = join(partial, name);
    await pipeline(Readable.fromWeb((await answer(url)).body!), createWriteStream(archive));
    const hash = createHash("sha256");
    await pipeline(createReadStream(archive), hash);
    if (hash.digest("hex") !== sha256)
      throw new SetupError(`${name} does not match its pinned checksum, so it was deleted`);
    await execa("tar", ["-xzf", archive, "-C", partial]);
    rmSync(archive);
    rmSync(folder, { recursive: true, force: true }); // what a killed run left
    renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/** What a server answers. Throws SetupError when that is an error. */
export async function answer(url: string): Promise<Response> {
  const response = await fetch(url);
  if (!response.ok) throw new SetupError(`${url} answered ${response.status}`);
  return response;
}
