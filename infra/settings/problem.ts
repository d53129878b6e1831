/** One thing that is wrong with the input. No part of it ever holds a secret's value. */
export interface Problem {
  /** The key that it stands at: a variable of `.env`, `rejourney:name` of the stack's settings, or `.env line 7`. */
  key: string;
  /** What is wrong, as the end of a sentence that begins with the key. */
  what: string;
  /** The command or the change that fixes it. */
  fix: string;
}

/** All problems of one input at once. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const lines = problems.map(({ key, what, fix }) => `  ${key} ${what}.\n    Fix: ${fix}`);
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    super(`${count} in the settings; nothing was changed.\n${lines.join("\n")}`);
    this.problems = problems;
  }
}
