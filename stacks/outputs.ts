import * as pulumi from "@pulumi/pulumi";
import type { SecretStore } from "../infra/secrets/store.ts";
import type { Settings } from "../infra/settings/load.ts";

/** What every stack gives. */
export function outputs({ variables, environment }: Settings, store: SecretStore) {
  return {
    dashboard: variables.PUBLIC_DASHBOARD_URL,
    api: variables.PUBLIC_API_URL,
    secretsThatDifferFromTheirSource: store.differing,
    secretsThatAreEmpty: store.empty,
    // For `secrets export`. Secret, since who sends the mail, say, is nobody's business.
    environment: pulumi.secret(environment),
  };
}
