import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { leftOver, rendered, stale } from "../../infra/render.ts";
import { projectRoot } from "../../infra/settings/sources.ts";
import { Failure, log } from "../terminal/output.ts";

/** Writes the renderings that are not up to date, and removes those of an earlier one; with `check`, fails instead. */
export function render({ check }: { check: boolean }): void {
  const files = rendered();
  const old = stale(files);
  const gone = leftOver(files);
  if (check && old.length + gone.length > 0)
    throw new Failure(`Out of date: ${[...old, ...gone].join(", ")}. Fix: npm run render`);
  if (!check) {
    for (const path of gone) rmSync(join(projectRoot, path));
    for (const path of old) {
      mkdirSync(dirname(join(projectRoot, path)), { recursive: true });
      writeFileSync(join(projectRoot, path), files.get(path)!);
    }
  }
  const done = [
    ...(old.length > 0 ? [`Wrote ${old.join(", ")}.`] : []),
    ...(gone.length > 0 ? [`Removed ${gone.join(", ")}.`] : []),
  ];
  log(done.length === 0 ? "The rendered files are up to date." : done.join(" "));
}
