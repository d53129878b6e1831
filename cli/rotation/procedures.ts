import type { SecretName } from "../../infra/app/secrets.ts";
import type { Settings } from "../../infra/settings/load.ts";
import { isGeneratedHere } from "../../infra/settings/generated.ts";
import { changePassword } from "./postgres-password.ts";
import type { Psql } from "./psql.ts";
import { type Commit, openableRows, reencrypt, type Values } from "./storage-keys.ts";

/** What in the database goes with the value of a secret, and changes with it. */
export interface Holder {
  /** How many rows that are; undefined where it is none. Throws Failure when one is in the way. */
  rows(psql: Psql, values: Values): Promise<number | undefined>;
  /** Changes it in one transaction, in whose last moment the commit is asked for. True where there was something to change. */
  change(psql: Psql, values: Required<Values>, commit: Commit): Promise<boolean>;
  /** Whether the old value may be needed later, so that it is kept until somebody says that it may go. */
  keepsOld: boolean;
}

/** What holds this secret besides the stack, where something does. */
export function holderOf(name: SecretName, settings: Settings): Holder | undefined {
  if (name === "STORAGE_ENCRYPTION_KEY") return { rows: openableRows, change: reencrypt, keepsOld: true };
  if (name !== "POSTGRES_PASSWORD" || !isGeneratedHere(name, settings)) return undefined;
  const { POSTGRES_USER: user } = settings.variables;
  return {
    rows: () => Promise.resolve(undefined),
    change: (psql, { to }, commit) => changePassword(psql, user, to, commit),
    keepsOld: false,
  };
}
