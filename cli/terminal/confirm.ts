import * as prompts from "@clack/prompts";
import { Failure } from "./output.ts";

/** Results go to standard output, so questions do not. */
const output = process.stderr;

/** Asks, where somebody can answer; a plain Return means no. False where nobody can. */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  return (await prompts.confirm({ message: question, initialValue: false, output })) === true;
}

/** Asks before something is installed; where nobody can answer, to set up is what the command was called for. */
export function confirmUnless(yes: boolean): (question: string) => Promise<boolean> {
  return yes || !process.stdin.isTTY ? () => Promise.resolve(true) : confirm;
}

/** The answer to a question; undefined where nobody can give one, or wants to. */
export async function ask(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined;
  const answer = await prompts.text({ message: question, output });
  return prompts.isCancel(answer) ? undefined : answer.trim();
}

/** A value that somebody types, which is not shown. Throws Failure when they cancel. */
export async function askHidden(question: string): Promise<string> {
  const answer = await prompts.password({ message: question, output });
  if (prompts.isCancel(answer)) throw new Failure("Nothing was changed.");
  return answer;
}
