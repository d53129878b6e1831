import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import type { Psql } from "./psql.ts";
import type { Commit } from "./storage-keys.ts";

/** Gives a role of PostgreSQL another password, in one transaction whose end waits for `commit`. */
export async function changePassword(
  psql: Psql,
  user: string,
  password: string,
  commit: Commit,
): Promise<boolean> {
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
