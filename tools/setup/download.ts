import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, mkdirSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { execa } from "execa";
import { SetupError } from "./error.ts";
import type { Log } from "./log.ts";

export interface Download {
  /** A `.tar.gz`. */
  url: string;
  /** Lines of `SHA-256  file name`. */
  sums: string;
  /** Where it is unpacked to; put in place by a rename. */
  folder: string;
  log: Log;
}

/** Milliseconds after which a server counts as out of reach. */
const REACHABLE = 5000;

/**
 * Downloads an archive, compares it with its published checksum and unpacks it. False when the server cannot be
 * reached or does not have it. Throws when the archive is not what was published, or breaks off.
 */
export async function download({ url, sums, folder, log }: Download): Promise<boolean> {
  const there = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(REACHABLE) }).catch(
    () => undefined,
  );
  if (!there?.ok) return false;
  const name = basename(new URL(url).pathname);
  log(`Downloading ${name} …`);
  const partial = `${folder}.${process.pid}.partial`;
  mkdirSync(partial, { recursive: true });
  try {
    const published = await (await answer(sums)).text();
    const archive = join(partial, name);
    await pipeline(Readable.fromWeb((await answer(url)).body!), createWriteStream(archive));
    const hash = createHash("sha256");
    await pipeline(createReadStream(archive), hash);
    const sum = hash.digest("hex");
    if (!published.split("\n").some((line) => line.startsWith(sum) && line.endsWith(name)))
      throw new SetupError(`${name} does not match its published checksum, so it was deleted.`);
    await execa("tar", ["-xzf", archive, "-C", partial]);
    rmSync(archive);
    renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return true;
}

async function answer(url: string): Promise<Response> {
  const response = await fetch(url);
  if (!response.ok) throw new SetupError(`${url} answered ${response.status}`);
  return response;
}
