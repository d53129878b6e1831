import { redactor } from "../infra/secrets/redact.ts";

/** What a pull request would change of one stack. */
export interface Section {
  stack: string;
  /** Why this is no preview, or that it failed; absent for a preview. */
  note?: string | undefined;
  /** The preview, or the diff of the rendered files; empty when nothing changes. */
  text: string;
}

/** The first line of the comment, by which it is found again. */
export const MARKER = "<!-- rejourney preview -->";

/** GitHub takes 65,536 characters; the rest is for what stands around the texts. */
const ROOM = 60_000;

/** The comment of a pull request: a section a stack, in a size that GitHub takes. `run` is where all of it is shown. */
export function commentOf(sections: readonly Section[], run: string): string {
  const lengths = shares(sections.map(({ text }) => text.length));
  const parts = sections.map(({ stack, note, text }, index) => {
    const heading = `### ${stack}${note === undefined ? "" : `\n\n${note}`}`;
    if (text === "") return `${heading}\n\nNothing changes.`;
    const shown = cut(text, lengths[index]!);
    const fence = "`".repeat(longestRun(shown) + 1);
    const rest = shown === text ? "" : `\n\nThis is cut short; [the run](${run}) shows all of it.`;
    return `${heading}\n\n<details open><summary>${counted(text)}</summary>\n\n${fence}diff\n${shown}\n${fence}\n\n</details>${rest}`;
  });
  return [MARKER, "## What this pull request changes", ...parts].join("\n\n");
}

/** How much of each text is shown: a short one whole, the others alike. */
function shares(lengths: readonly number[]): number[] {
  let [room, left] = [ROOM, lengths.length];
  const shares: number[] = [];
  for (const [index, length] of [...lengths.entries()].sort(([, a], [, b]) => a - b)) {
    shares[index] = Math.min(length, Math.floor(room / left));
    room -= shares[index];
    left--;
  }
  return shares;
}

/** Whole lines at the beginning of a text, no longer than asked. */
function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  const end = text.lastIndexOf("\n", length);
  return text.slice(0, end < 0 ? length : end);
}

/** A code block ends with as many backticks as it has begun with, at least three. */
function longestRun(text: string): number {
  return Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
}

function counted(text: string): string {
  const lines = text.split("\n").length;
  return lines === 1 ? "1 line" : `${lines} lines`;
}

const SECRET_NAME = /TOKEN|SECRET|PASSPHRASE|PASSWORD|_KEY|KUBECONFIG/;

/** A text without the values of this process's secrets, of which none should be in it in the first place. */
export function withoutSecrets(text: string, env: NodeJS.ProcessEnv): string {
  const secrets = Object.entries(env).filter(
    ([name, value = ""]) => SECRET_NAME.test(name) && value.length >= 8,
  );
  return redactor(secrets.map(([, value]) => value!))(text);
}
