import { afterEach, describe, expect, test, vi } from "vitest";
import { printable, printableJson } from "../../infra/printable.ts";

afterEach(() => vi.unstubAllEnvs());

describe("what is shown", () => {
  test.each<[string, string, string]>([
    ["colour", "\u001b[31mred\u001b[0m", "red"],
    ["the clipboard", "GET /\u001b]52;c;cm0gLXJm\u0007 200", "GET / 200"],
    ["the title", "\u001b]0;title\u001b\\text", "text"],
    ["a line that is written over", "api is healthy\rEVIL", "api is healthyEVIL"],
    ["a backspace and a bell", "a\bb\u0007c", "abc"],
    ["a control character of eight bits", "\u009b31mred", "red"],
    ["a line that is turned around", "a\u202etxt.exe", "atxt.exe"],
  ])("does not hold %s", (_, text, clean) => {
    expect(printable(text)).toBe(clean);
  });

  test("keeps line breaks, tabs and every script", () => {
    const text = "one\n\ttwo … ± 三 \u{1f600}\n";
    expect(printable(text)).toBe(text);
  });

  test("on GitHub holds no command to the runner", () => {
    const text = "fine\n  ::add-mask::api\n::stop-commands::x\na ::note\n##[group]x";
    expect(printable(text)).toBe(text);
    vi.stubEnv("GITHUB_ACTIONS", "true");
    expect(printable(text)).toBe("fine\n|   ::add-mask::api\n| ::stop-commands::x\na ::note\n## [group]x");
  });

  test("as JSON holds none of that, and means the same", () => {
    const value = {
      "a\u009b": ["\u001b]0;t\u0007", "a\u202etxt", "\u2028", "##[group]x", "\ud800", "é\u{1f600}"],
    };
    const json = printableJson(value);
    expect(json).toBe(
      String.raw`{"a\u009b":["\u001b]0;t\u0007","a\u202etxt","\u2028","##\u005bgroup]x","\ud800","é😀"]}`,
    );
    expect(JSON.parse(json)).toEqual(value);
  });
});
