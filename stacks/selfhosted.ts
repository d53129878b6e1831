import { SecretStore } from "../infra/secrets/store.ts";
import type { DockerSettings } from "../infra/settings/load.ts";

/** The single-node deployment: its secrets. */
export function selfhosted({ secrets, variables }: DockerSettings) {
  const store = new SecretStore("secrets", { sources: secrets });
  return {
    dashboard: variables.PUBLIC_DASHBOARD_URL,
    api: variables.PUBLIC_API_URL,
    secretsThatDifferFromTheirSource: store.differing,
    secretsThatAreEmpty: store.empty,
  };
}
