import { printable, printableJson } from "../../infra/printable.ts";

/** Says what happens, on standard error. */
export function log(message: string): void {
  process.stderr.write(`${printable(message)}\n`);
}

/** Writes a result to standard output: lines for people, with their line breaks. */
export function print(text: string): void {
  process.stdout.write(printable(text));
}

/** Writes a result to standard output as JSON, in one line. */
export function printJson(result: object): void {
  process.stdout.write(`${printableJson(result)}\n`);
}

/** The user's input or machine is at fault; the message says what fixes it. Shown without a stack trace. */
export class Failure extends Error {}
