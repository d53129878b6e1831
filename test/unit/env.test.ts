import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "dotenv";
import { afterAll, describe, expect, test } from "vitest";
import { SECRET_NAMES } from "../../infra/app/secrets.ts";
import { unknownEnvKeys } from "../../infra/settings/check.ts";
import { envLine, parseEnvFile, readEnvFile, withValue } from "../../infra/settings/env.ts";
import { secretProblems } from "../../infra/settings/secret-rules.ts";
import { projectRoot } from "../../infra/settings/sources.ts";

const valuesOf = (text: string) =>
  Object.fromEntries([...parseEnvFile(text).entries].map(([key, { value }]) => [key, value]));

describe("an .env file in another encoding", () => {
  const folder = mkdtempSync(join(tmpdir(), "rejourney-env-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const path = join(folder, ".env");
  const text = "# Settings\nSMTP_FROM=Jürgen\nSMTP_HOST=mail.example.com\n";
  const utf16 = (swap: boolean) => {
    const bytes = Buffer.from(`\uFEFF${text}`, "utf16le");
    return swap ? bytes.swap16() : bytes;
  };

  test.each([
    ["Latin-1", Buffer.from(text, "latin1"), ".env line 2 is not in UTF-8."],
    ["UTF-16", utf16(false), ".env is in UTF-16, not in UTF-8."],
    ["UTF-16 with the other byte first", utf16(true), ".env is in UTF-16, not in UTF-8."],
    ["UTF-8 that is cut", Buffer.from(text).subarray(0, 23), ".env line 2 is not in UTF-8."],
  ])("%s, is refused with its line, and written by nobody", (_, bytes, told) => {
    writeFileSync(path, bytes);
    expect(() => readEnvFile(path)).toThrow(`${told}\n    Fix: save .env as UTF-8`);
    const generate = ["cli/main.ts", "secrets", "generate", "--env-file", path];
    const { status, stderr } = spawnSync(process.execPath, ["--", ...generate], {
      cwd: projectRoot,
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining(told) as string });
    expect(readFileSync(path)).toEqual(bytes);
  });

  test("such as UTF-8 with a byte order mark, is read", () => {
    writeFileSync(path, `\uFEFF${text}`);
    expect(readEnvFile(path).entries.get("SMTP_FROM")?.value).toBe("Jürgen");
  });
});

test("git ignores what holds a secret, wherever the documents have it put", () => {
  const folder = mkdtempSync(join(tmpdir(), "rejourney-git-"));
  try {
    const git = (...args: string[]) => spawnSync("git", args, { cwd: folder, encoding: "utf8" });
    git("init", "--quiet");
    cpSync(join(projectRoot, ".gitignore"), join(folder, ".gitignore"));
    const secret = [
      ...[
        ".env",
        ".env.production",
        "in-use.env",
        "in-cluster.env",
        ".env.before-recovery",
        "prod.env.before-recovery",
      ],
      ...[
        ".rejourney/passphrase",
        "recovery.key",
        "recovery-prod.age",
        "elsewhere/recovery.key",
        "prod.state.json",
      ],
      ...[".env.4711.partial", "kubeconfig", "kubeconfig.yaml", "prod.kubeconfig", "k3s.yaml"],
    ];
    const others = [".env.example", "Pulumi.prod.yaml", "package.json", "docs/state.md"];
    const { stdout } = git("check-ignore", ...secret, ...others);
    expect(stdout.trimEnd().split("\n")).toEqual(secret);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe("an .env file", () => {
  test("has its values as they are: nothing is expanded or executed", () => {
    const text = [
      "\uFEFF# a comment",
      "A=plain value # a comment",
      "export B='single # $HOME $(touch /tmp/x) `id`'",
      'C="double\\nlines"',
      "D=`back'\"ticks`",
      "",
      "E='",
      " several",
      "lines '",
      "F = spaced",
      "G=",
      "Ü=no key",
    ].join("\n");
    expect(valuesOf(text)).toEqual({
      A: "plain value",
      B: "single # $HOME $(touch /tmp/x) `id`",
      C: "double\nlines",
      D: "back'\"ticks",
      E: "\n several\nlines ",
      F: "spaced",
      G: "",
    });
    const { entries, problems } = parseEnvFile(text);
    expect([...entries].map(([key, { line }]) => `${key}${line}`)).toEqual([
      "A2",
      "B3",
      "C4",
      "D5",
      "E7",
      "F10",
      "G11",
    ]);
    expect(problems).toEqual([
      { key: ".env line 12", what: "is not of the form KEY=value", fix: "correct line 12 of .env" },
    ]);
  });

  test.each([
    ["A=1 # why\nB=2", "new", "A=new # why\nB=2"],
    ["\uFEFFexport A = 'several\nlines'\r\nB=2", "new", "\uFEFFexport A =new\r\nB=2"],
    ["B=2\nA=", "it's #1", 'B=2\nA="it\'s #1"'],
    ['A="1"', "$HOME", "A='$HOME'"],
    ["A=1", "'\"`#", undefined],
  ])("%j takes %j for A, and all else stays", (text, value, expected) => {
    expect(withValue(parseEnvFile(text), "A", value)).toBe(expected);
    if (expected !== undefined) expect(valuesOf(expected).A).toBe(value);
  });

  test.each([
    ["A=pass#word", "(A) has a # without quotes, at which the value would be cut"],
    ['A="open', "(A) has a quote that does not end with the value"],
    ["A='a' b", "(A) has a quote that does not end with the value"],
    ["A=1\nA=2", "(A) repeats line 1"],
    ["A: 1", "is not of the form KEY=value"],
    ["just text", "is not of the form KEY=value"],
  ])("is refused where it would be misread: %j", (text, what) => {
    expect(parseEnvFile(text).problems.map((problem) => problem.what)).toEqual([what]);
  });

  test("never shows a value in a problem or a warning", () => {
    const { problems, warnings } = parseEnvFile(
      'A=hunter2#x\nB="hunter2\nC=hunter2\nC=hunter2\nhunter2\nD=$hunter2',
    );
    expect(problems).toHaveLength(4);
    expect(warnings).toHaveLength(1);
    expect(JSON.stringify([problems, warnings])).not.toContain("hunter2");
  });

  test("counts Windows line breaks as one", () => {
    const { entries } = parseEnvFile("A=1\r\n\r\nB='x\r\ny'\r\nC=3");
    expect([...entries].map(([key, { value, line }]) => [key, value, line])).toEqual([
      ["A", "1", 1],
      ["B", "x\ny", 3],
      ["C", "3", 5],
    ]);
  });

  test("with a character that only some programs end a line at is refused", () => {
    expect(parseEnvFile("A='1\u2028B=2'").problems.map(({ key }) => key)).toContain(".env");
  });

  test("of any content is read as dotenv reads it, or refused", () => {
    const seed = Number(process.env.TEST_SEED ?? 1);
    const random = generator(seed);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
    const value = () =>
      Array.from({ length: Math.floor(random() * 6) }, () =>
        pick(["x", "é", "#", " #", "'", '"', "`", "\\", "\\n", "$(id)", "=", " ", "\n", "\r\n", "日本"]),
      ).join("");
    const line = () => {
      const quote = pick(["", "", "'", '"', "`"]);
      const key = `${pick(["", "", "export ", " "])}${pick(["A", "B_1", "C.d", "E-f", "G"])}`;
      return `${key}${pick(["=", "=", "=", " = ", ": ", ""])}${quote}${value()}${quote}${pick(["", "", " # c", "#c"])}`;
    };
    let accepted = 0;
    for (let i = 0; i < 5000; i++) {
      const text = Array.from({ length: Math.floor(random() * 4) }, line).join(pick(["\n", "\r\n", "\n\n"]));
      const { entries, problems } = parseEnvFile(text);
      if (problems.length > 0) continue;
      accepted++;
      expect(valuesOf(text), `seed ${seed}: ${JSON.stringify(text)}`).toEqual(parse(text));
      for (const [key, { span }] of entries) {
        const changed = text.slice(0, span[0]) + "new" + text.slice(span[1]);
        expect(parse(changed), `seed ${seed}: ${JSON.stringify(text)}`).toEqual({
          ...parse(text),
          [key]: "new",
        });
      }
    }
    console.log(`.env files: seed ${seed}, ${accepted} of 5000 accepted, the others refused`);
    expect(accepted).toBeGreaterThan(500);
  });
});

test("a line for a value gives that value back, or there is none", () => {
  const random = generator(1);
  const parts = ["x", "é", "#", " ", "'", '"', "`", "\\", "\\n", "$(id)", "=", "\n", "日本"];
  let none = 0;
  for (let i = 0; i < 2000; i++) {
    const value = Array.from(
      { length: 1 + Math.floor(random() * 6) },
      () => parts[Math.floor(random() * parts.length)]!,
    ).join("");
    const line = envLine("KEY", value);
    if (line === undefined) {
      none++;
      // Every kind of quote, or one that would be read as an escaped one.
      expect(value).toMatch(/['"`\\]/);
    } else expect(parse(`A=1\n${line}\nB=2\n`)).toEqual({ A: "1", KEY: value, B: "2" });
  }
  expect(none).toBeLessThan(400);
});

test.each([
  ["plain", "KEY=plain"],
  ["with $dollar", "KEY='with $dollar'"],
  ["a # in it", "KEY='a # in it'"],
  ["it's # quoted", `KEY="it's # quoted"`],
  [`it's "both" # of them`, `KEY=\`it's "both" # of them\``],
  ["two\nlines", "KEY='two\nlines'"],
  ["every ' kind \" of ` quote # here", undefined],
])("a value such as %j is written as %j", (value, line) => {
  expect(envLine("KEY", value)).toBe(line);
});

/** Numbers from 0 to 1 that follow from the seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe(".env.example", () => {
  const example = readFileSync(join(projectRoot, ".env.example"), "utf8");
  const filled = parseEnvFile(example.replaceAll(/^# (?=[A-Z0-9_]+=)/gm, ""));

  test("holds known keys alone, and nothing that is in use", () => {
    expect(filled.problems).toEqual([]);
    expect(unknownEnvKeys(filled)).toEqual({ problems: [], warnings: [] });
    expect(parseEnvFile(example).entries.size).toBe(0);
  });

  test("gives no secret a value that passes", () => {
    const secrets = SECRET_NAMES.map((name) => [name, { value: filled.entries.get(name)!.value, place: "" }]);
    const problems = secretProblems(
      Object.fromEntries(secrets) as Parameters<typeof secretProblems>[0],
      "selfhosted",
    );
    expect(problems.map(({ key, what }) => [key, what])).toEqual(
      SECRET_NAMES.map((name) => [name, "is a placeholder"]),
    );
  });
});
