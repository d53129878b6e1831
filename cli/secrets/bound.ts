import type { SecretName } from "../../infra/app/secrets.ts";
import { boundBy } from "../../infra/settings/generated.ts";
import type { Settings } from "../../infra/settings/load.ts";
import type { Problem } from "../../infra/settings/problem.ts";

/** What is wrong with values of these secrets that are not the ones in use. `fix` tells what fixes each. */
export function boundProblems(
  names: readonly SecretName[],
  settings: Settings,
  fix: (name: SecretName) => string,
): Problem[] {
  return names.map((key) => ({
    key,
    what: `is not the value in use and cannot change alone: ${boundBy(key, settings)}`,
    fix: fix(key),
  }));
}
