import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { rendered, stale } from "../infra/render.ts";
import { projectRoot } from "../infra/settings/sources.ts";
import { Failure, log } from "./output.ts";

/** Writes the renderings that are not up to date; with `check`, fails instead. */
export function render({ check }: { check: boolean }): void {
  const files = rendered();
  const old = stale(files);
  if (check && old.length > 0)
    throw new Failure(`Not what the program renders: ${old.join(", ")}. Mend: npm run render`);
  if (!check) for (const path of old) writeFileSync(join(projectRoot, path), files.get(path)!);
  log(old.length === 0 ? "The rendered files are up to date." : `Wrote ${old.join(", ")}.`);
}
