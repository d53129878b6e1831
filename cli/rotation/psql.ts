import { randomUUID } from "node:crypto";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { Failure } from "../terminal/output.ts";

/** A `psql` that reads its statements from standard input. */
export interface Channel {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
}

/**
 * The command of a `psql` in the container of the database, to which the official image lets its own user in. Its first
 * error ends it, as does the end of its input: what was not committed is then undone.
 */
export function psqlCommand({
  POSTGRES_USER,
  POSTGRES_DB,
}: {
  POSTGRES_USER: string;
  POSTGRES_DB: string;
}): string[] {
  const script =
    'PGPASSWORD="$POSTGRES_PASSWORD" exec psql -X -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=terse -U "$1" -d "$2"';
  return ["sh", "-c", script, "sh", POSTGRES_USER, POSTGRES_DB];
}

/** One session with the database. */
export class Psql {
  readonly #channel: Channel;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;
  #errors = "";

  constructor(channel: Channel) {
    this.#channel = channel;
    this.#reader = createInterface({ input: channel.stdout, crlfDelay: Infinity });
    this.#lines = this.#reader[Symbol.asyncIterator]();
    channel.stderr.on("data", (text: Buffer) => (this.#errors += text.toString()));
    // A session that is gone is told by the lines that do not come.
    channel.stdin.on("error", () => {});
  }

  /** The lines that a statement gives. Throws Failure with the server's words. */
  async ask(statement: string): Promise<string[]> {
    const end = randomUUID();
    this.#channel.stdin.write(`${statement}\n\\echo ${end}\n`);
    const lines: string[] = [];
    for (;;) {
      const next = await this.#lines.next();
      if (next.done === true) throw new Failure(this.#lastError());
      if (next.value === end) return lines;
      lines.push(next.value);
    }
  }

  /** Ends the session; a transaction that is open is undone. */
  close(): void {
    this.#channel.stdin.end("\\q\n");
    this.#reader.close();
  }

  #lastError(): string {
    const lines = this.#errors.split("\n").filter((line) => line.trim() !== "");
    const error = lines.findLast((line) => /ERROR|FATAL|error:/.test(line)) ?? lines.at(-1);
    return `PostgreSQL says: ${error?.replace(/^(psql: error: |psql:<stdin>:\d+: )/, "") ?? "nothing; the session ended"}`;
  }
}
