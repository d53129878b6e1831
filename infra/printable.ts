import { stripVTControlCharacters } from "node:util";

/** All that is no text: control characters but for the line break and the tab, and those that turn a line around. */
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * A text as it may be shown. What a container, a pod or a registry says may set the title and the clipboard of a terminal,
 * or write over lines that stand there; on GitHub, a line may be a command to the runner.
 */
export function printable(text: string): string {
  const clean = withoutControls(text);
  return process.env.GITHUB_ACTIONS === "true" ? withoutCommands(clean) : clean;
}

/** A text without what is no text. Comes before secrets are taken out: one that a control character parts would stay. */
export function withoutControls(text: string): string {
  return stripVTControlCharacters(text).replaceAll(UNPRINTABLE, "");
}

/** A value as JSON that may be shown: what is no text, and what may be a command to the runner, by its number. */
export function printableJson(value: unknown): string {
  const number = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value)
    .replaceAll(UNPRINTABLE, number)
    .replaceAll("##[", `##${number("[")}`);
}

// Source: ActionCommand.cs of actions/runner: `::` after white space, and `##[` anywhere in a line.
function withoutCommands(text: string): string {
  return text.replaceAll(/^(?=[^\S\n]*::)/gm, "| ").replaceAll("##[", "## [");
}
