import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import type { SecretName } from "../../infra/app/secrets.ts";
import type { Settings } from "../../infra/settings/load.ts";
import { isMadeHere } from "../secrets/new-values.ts";
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
  if (name !== "POSTGRES_PASSWORD" || !isMadeHere(name, settings)) return undefined;
  const { POSTGRES_USER: user } = settings.variables;
  return {
    rows: () => Promise.resolve(undefined),
    change: (psql, { to }, commit) => changePassword(psql, user, to, commit),
    keepsOld: false,
  };
}

async function changePassword(psql: Psql, user: string, password: string, commit: Commit): Promise<boolean> {
  await psql.ask(`BEGIN; ALTER ROLE "${user.replaceAll('"', '""')}" PASSWORD '${verifier(password)}';`);
  await commit();
  await psql.ask("COMMIT;");
  return true;
}

/**
 * The form in which PostgreSQL keeps a password, so that neither its log nor a session ever has the password itself
 * (RFC 5803; the defaults of PostgreSQL: 4096 iterations, 16 bytes of salt). For ASCII, which SASLprep leaves as it is.
 */
function verifier(password: string): string {
  const [iterations, salt] = [4096, randomBytes(16)];
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const hmac = (text: string) => createHmac("sha256", salted).update(text).digest();
  const stored = createHash("sha256").update(hmac("Client Key")).digest("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${stored}:${hmac("Server Key").toString("base64")}`;
}
