/** Says what happens, on standard error; results go to standard output. */
export function log(message: string): void {
  process.stderr.write(`${message}\n`);
}

/** The user's input or machine is at fault; the message says what mends it. Shown without a stack trace. */
export class Failure extends Error {}
