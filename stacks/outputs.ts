import * as pulumi from "@pulumi/pulumi";
import { VARIABLES } from "../infra/app/variables.ts";
import type { SecretStore } from "../infra/secrets/store.ts";
import type { Settings } from "../infra/settings/load.ts";

/** What every stack gives. */
export function outputs({ variables, environment }: Settings, store: SecretStore) {
  const names: readonly string[] = VARIABLES;
  return {
    dashboard: variables.PUBLIC_DASHBOARD_URL,
    api: variables.PUBLIC_API_URL,
    secretsThatDifferFromTheirSource: store.differing,
    secretsThatAreEmpty: store.empty,
    // For `secrets export`. Secret, since who sends the mail, say, is nobody's business.
    environment: pulumi.secret(environment),
    // Told apart from those of another source: a file that is lost, or is on another machine, changes no value.
    variablesFromEnv: Object.keys(environment).filter((name) => names.includes(name)),
  };
}
