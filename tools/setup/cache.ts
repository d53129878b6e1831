import { homedir } from "node:os";
import { join } from "node:path";

/** What set-up keeps between runs and shares between clones. */
export const cacheDir = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "rejourney");
