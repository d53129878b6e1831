import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";

/** Asks, where somebody can answer; a plain Return means no. False where nobody can. */
export async function confirm(question: string): Promise<boolean> {
  return /^y(es)?$/i.test((await ask(`${question} [y/N] `)) ?? "");
}

/** Asks before something is installed; where nobody can answer, to set up is what the command was called for. */
export function confirmUnless(yes: boolean): (question: string) => Promise<boolean> {
  return yes || !process.stdin.isTTY ? () => Promise.resolve(true) : confirm;
}

/** The answer to a question; undefined where nobody can give one. */
export async function ask(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question(question);
  prompt.close();
  return answer.trim();
}

/** Values that somebody types, one for each question, which are not shown. */
export async function askHidden(questions: readonly string[]): Promise<string[]> {
  const silent = new Writable({ write: (_, __, done) => done() });
  const prompt = createInterface({ input: process.stdin, output: silent, terminal: true });
  const answers: string[] = [];
  for (const question of questions) {
    process.stderr.write(`${question} (it is not shown): `);
    answers.push(await prompt.question(""));
    process.stderr.write("\n");
  }
  prompt.close();
  return answers;
}
