import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";

/** The name of the user whom a file belongs to, or the number where it has no name. */
export function ownerOf(path: string): string {
  const { uid } = statSync(path);
  try {
    return execFileSync("id", ["-un", String(uid)], { encoding: "utf8", stdio: "pipe" }).trim();
  } catch {
    return `user ${uid}`;
  }
}
