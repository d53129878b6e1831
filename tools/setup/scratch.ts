import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { cacheDir } from "./cache.ts";

const PREFIX = "scratch-";
/** Milliseconds after which what is left there is no one's any more. */
const OLD = 3_600_000;

/** Gives the work a folder of its own beside what is cached, so that a rename puts a result in place. */
export async function withScratch<T>(work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(cacheDir, { recursive: true });
  for (const name of await readdir(cacheDir)) {
    const path = join(cacheDir, name);
    // Of a run that was killed.
    if (name.startsWith(PREFIX) && Date.now() - (await stat(path)).mtimeMs > OLD)
      await rm(path, { recursive: true, force: true });
  }
  const folder = await mkdtemp(join(cacheDir, PREFIX));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
