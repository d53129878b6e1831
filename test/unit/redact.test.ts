import { describe, expect, test } from "vitest";
import { redactor } from "../../infra/secrets/redact.ts";

const SECRET = 'p@ss"w\\ord/+ 1';
const redacted = redactor([
  SECRET,
  "-----BEGIN PRIVATE KEY-----\nof two lines\n-----END PRIVATE KEY-----",
  "kind: Config\nname: default",
  "abc",
]);

describe("a secret is taken out of a text", () => {
  test.each<[string, string]>([
    ["as it is", SECRET],
    ["in JSON", JSON.stringify({ msg: `login with ${SECRET}` })],
    ["in JSON within JSON", JSON.stringify({ log: JSON.stringify({ password: SECRET }) })],
    ["in a URL", `postgres://app:${encodeURIComponent(SECRET)}@postgres/app`],
    ["in a URL with digits in lower case", "p%40ss%22w%5cord%2f%2b%201"],
    ["in a form", "password=p%40ss%22w%5Cord%2F%2B+1&x=y"],
    ["in a URL that keeps what it may", encodeURI(SECRET)],
    ["a line of PEM alone", "now: of two lines"],
    ["with colours and a carriage return in it", SECRET.replace("w", "\u001b[31mw\u001b[0m\r")],
  ])("%s", (_, text) => {
    const clean = redacted(text);
    expect(clean).toContain("[redacted]");
    expect(clean).not.toMatch(/@ss|40ss|two lines/);
  });

  test.each(["", "a", "ab", "user:", "a longer user:"])("in base64, behind %j", (user) => {
    for (const form of ["base64", "base64url"] as const) {
      const clean = redacted(`Basic ${Buffer.from(`${user}${SECRET}`).toString(form)}`);
      expect(clean).toContain("[redacted]");
      // Of the first and the last character a part of the bits may be left, and nothing of those between.
      const left = Buffer.from(clean.replace(/^Basic /, "").replace("[redacted]", ""), "base64");
      expect(left.toString("latin1")).not.toContain("ss");
    }
  });

  test("and nothing else is: not what is too short to tell, nor what a secret happens to have in common with a text", () => {
    expect(redacted("abc, kind: Config of -----BEGIN PRIVATE KEY-----")).toBe(
      "abc, kind: Config of -----BEGIN PRIVATE KEY-----",
    );
    expect(redactor([])("text")).toBe("text");
  });

  test("in JSON as Go writes it, also within JSON", () => {
    const clean = redactor(["a&b<c>d"]);
    expect(clean(String.raw`{"msg":"a\u0026b\u003cc\u003ed"}`)).toBe('{"msg":"[redacted]"}');
    expect(clean(JSON.stringify({ log: String.raw`{"p":"a\u0026b\u003cc\u003ed"}` }))).not.toContain("u0026");
  });

  test.each<[string, string]>([
    ["for a shell", String.raw`echo 'it'\''s\9 <é&"x"'`],
    ["by Node", String.raw`{ password: 'it\'s\\9 <é&"x"' }`],
    ["in HTML", "<p>it&#39;s\\9 &lt;é&amp;&quot;x&quot;</p>"],
    ["in HTML of Go", "<p>it&#39;s\\9 &lt;é&amp;&#34;x&#34;</p>"],
    ["in XML", "<p>it&apos;s\\9 &lt;é&amp;&quot;x&quot;</p>"],
    ["in XML where quotes may stand", '<p>it\'s\\9 &lt;é&amp;"x"</p>'],
    ["in JSON of ASCII", String.raw`{"p": "it's\\9 <\u00e9&\"x\""}`],
    ["in JSON three times", JSON.stringify(JSON.stringify(JSON.stringify('it\'s\\9 <é&"x"')))],
    ["in a form of URLSearchParams", new URLSearchParams({ p: 'it\'s\\9 <é&"x"' }).toString()],
    ["in a URL within a URL", encodeURIComponent(encodeURIComponent('it\'s\\9 <é&"x"'))],
    ["in hex", Buffer.from('it\'s\\9 <é&"x"').toString("hex")],
    ["in base64 of JSON", Buffer.from(JSON.stringify('it\'s\\9 <é&"x"')).toString("base64")],
  ])("as it is written %s", (_, text) => {
    const clean = redactor(['it\'s\\9 <é&"x"'])(text);
    expect(clean).toContain("[redacted]");
    expect(clean).not.toMatch(/\bit|9|é|x/);
  });

  test("whole, where one is a part of another", () => {
    expect(redactor(["secret", "secret-and-more"])("it is secret-and-more")).toBe("it is [redacted]");
  });

  test("also where a value is no valid text", () => {
    expect(redactor(["half \ud800 a character"])("is half \ud800 a character")).toBe("is [redacted]");
  });
});
