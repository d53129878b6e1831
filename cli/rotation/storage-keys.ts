import { openKeyRef, sealKeyRef } from "../../infra/storage/key-ref.ts";
import { Failure } from "../terminal/output.ts";
import type { Psql } from "./psql.ts";

/** Does what has to be done before a transaction is committed, and may fail. */
export type Commit = () => Promise<void>;

/** The values of a secret before a rotation and since; only one where none has begun. */
export interface Values {
  from: string;
  to?: string;
}

interface Row {
  id: string;
  /** What it holds, in the clear. */
  opened: string;
  /** The key that opens it. */
  by: string;
}

/** As text of one line: a row that is damaged may hold anything. */
const ROWS =
  "SELECT id || ' ' || to_json(key_ref::text) FROM storage_endpoints WHERE key_ref IS NOT NULL ORDER BY id;";
/** How many ids a message names. */
const NAMED = 10;

/** How many rows hold a key. Throws Failure when none of these keys opens one of them. */
export async function openableRows(psql: Psql, keys: Values): Promise<number> {
  return (await hasTable(psql)) ? (await rowsOf(psql, keys)).length : 0;
}

/**
 * Encrypts every row again, in one transaction during which the table can be read, but not be written, and reads each
 * one back before `commit` is called; when that has done its part, the transaction ends. Throws Failure, with nothing
 * changed, when a row does not open. False where every row had the new key already.
 */
export async function reencrypt(
  psql: Psql,
  { from, to }: Required<Values>,
  commit: Commit,
): Promise<boolean> {
  // Should this process stop and not end, the table is not held for ever.
  await psql.ask(
    "BEGIN; SET LOCAL lock_timeout = '30s'; SET LOCAL idle_in_transaction_session_timeout = '120s';",
  );
  const stale = (await hasTable(psql)) ? await written(psql, { from, to }) : 0;
  await commit();
  await psql.ask("COMMIT;");
  return stale > 0;
}

/** The same without its end; how many rows there were to encrypt. */
async function written(psql: Psql, { from, to }: Required<Values>): Promise<number> {
  await psql.ask("LOCK TABLE storage_endpoints IN SHARE ROW EXCLUSIVE MODE;");
  const before = await rowsOf(psql, { from, to });
  const stale = before.filter(({ by }) => by !== to);
  const lines = stale.map(({ id, opened }) => `${id}\t${sealKeyRef(opened, to)}\n`);
  await psql.ask(
    "CREATE TEMPORARY TABLE rotated (id uuid PRIMARY KEY, key_ref text NOT NULL) ON COMMIT DROP;\n" +
      `COPY rotated FROM STDIN;\n${lines.join("")}\\.\n` +
      "UPDATE storage_endpoints SET key_ref = rotated.key_ref FROM rotated WHERE storage_endpoints.id = rotated.id;",
  );
  const contents = (rows: readonly Row[]) => JSON.stringify(rows.map(({ id, opened }) => [id, opened]));
  if (contents(await rowsOf(psql, { from: to })) !== contents(before))
    throw new Failure(
      "The rows of storage_endpoints do not decrypt to their previous values; nothing was changed.",
    );
  return stale.length;
}

async function hasTable(psql: Psql): Promise<boolean> {
  return (await psql.ask("SELECT to_regclass('storage_endpoints') IS NOT NULL;"))[0] === "t";
}

async function rowsOf(psql: Psql, keys: Values): Promise<Row[]> {
  const rows = (await psql.ask(ROWS)).map((line) => {
    const [id, text] = [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)];
    return openedRow(id, JSON.parse(text) as string, keys);
  });
  const closed = rows.filter(({ opened }) => opened === undefined).map(({ id }) => id);
  if (closed.length === 0) return rows as Row[];
  const more = closed.length > NAMED ? ` and ${closed.length - NAMED} more` : "";
  throw new Failure(
    `The STORAGE_ENCRYPTION_KEY in use does not decrypt the key_ref of ${closed.length} of ${rows.length} rows of storage_endpoints: ${closed.slice(0, NAMED).join(", ")}${more}; nothing was changed.\n` +
      "  Fix: enter the key of each of these endpoints again in the dashboard, or delete its row; then retry",
  );
}

function openedRow(
  id: string,
  keyRef: string,
  { from, to }: Values,
): Omit<Row, "opened"> & { opened?: string } {
  for (const by of to === undefined ? [from] : [to, from])
    try {
      return { id, opened: openKeyRef(keyRef, by), by };
    } catch {
      // The other key may open it.
    }
  return { id, by: "" };
}
