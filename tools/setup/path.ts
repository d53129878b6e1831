import { delimiter, join } from "node:path";
import which from "which";

/** Where the stand-ins are. */
const STAND_INS = join(import.meta.dirname, "..", "standins");

/** Where PATH leads to, the stand-ins apart. */
export function onPath(name: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.startsWith(STAND_INS));
  return which.sync(name, { path: folders.join(delimiter), nothrow: true }) ?? undefined;
}
