import { createPrivateKey, X509Certificate } from "node:crypto";
import { definitionOf, type SecretDefinition, type SecretName } from "../app/secrets.ts";
import { command } from "./command.ts";
import { isGuessable } from "./guessable.ts";
import type { Problem } from "./problem.ts";

/** A secret that a source gives, and the place to fix it. */
export interface GivenSecret {
  value: string;
  /** Where it stands, such as `.env line 3`. */
  place: string;
}

/** Bytes (in UTF-8) that a key has at least: 256 bits, what HMAC-SHA-256 and AES-256 ask for. */
const KEY_BYTES = 32;

interface Rule {
  appliesTo: (definition: SecretDefinition) => boolean;
  breaks: (value: string, definition: SecretDefinition) => boolean;
  what: string;
}

function opens(open: () => unknown): boolean {
  try {
    open();
    return true;
  } catch {
    return false;
  }
}

/** Characters that a password has at least which protects data or what the internet reaches. */
const PASSWORD_LENGTH = 12;

const isPassword = ({ guards }: SecretDefinition) => guards === true;
const isKey = ({ strength }: SecretDefinition) => strength === "key";
const any = () => true;

/** In this order; the first that a value breaks is told. */
const RULES: readonly Rule[] = [
  { appliesTo: any, breaks: (value) => value.trim() === "", what: "is empty" },
  {
    appliesTo: ({ pem }) => pem === undefined,
    breaks: (value) => /\p{Cc}/u.test(value),
    what: "contains a line break or another control character",
  },
  {
    appliesTo: ({ pem }) => pem === undefined,
    breaks: (value) => value !== value.trim(),
    what: "begins or ends with a space",
  },
  {
    appliesTo: any,
    breaks: (value) => PLACEHOLDERS.some((pattern) => pattern.test(value)),
    what: "is a placeholder",
  },
  {
    appliesTo: ({ pem }) => pem === "CERTIFICATE",
    breaks: (value) => !opens(() => new X509Certificate(value)),
    what: "is not a certificate in PEM; in .env, put its lines between single quotes",
  },
  {
    appliesTo: ({ pem }) => pem === "PRIVATE KEY",
    breaks: (value) => !opens(() => createPrivateKey(value)),
    what: "is not a private key in PEM; in .env, put its lines between single quotes",
  },
  {
    appliesTo: ({ hex64 }) => hex64 === true,
    breaks: (value) => !/^[0-9a-f]*$/i.test(value),
    what: "contains characters other than hex digits; it must have 64 hex digits",
  },
  {
    appliesTo: ({ hex64 }) => hex64 === true,
    breaks: (value) => value.length !== 64,
    what: "must have exactly 64 hex digits",
  },
  {
    appliesTo: ({ maxBytes }) => maxBytes !== undefined,
    breaks: (value, { maxBytes }) => Buffer.byteLength(value) > maxBytes!,
    what: "is longer than the 72 bytes that bcrypt takes",
  },
  {
    appliesTo: isKey,
    breaks: (value) => Buffer.byteLength(value) < KEY_BYTES,
    what: `is shorter than ${KEY_BYTES} bytes`,
  },
  {
    appliesTo: isKey,
    breaks: (value) => isPredictable(value.toLowerCase()),
    what: "is repetitive or sequential, so it can be guessed",
  },
  {
    appliesTo: isPassword,
    breaks: (value) => [...value].length < PASSWORD_LENGTH,
    what: `is shorter than ${PASSWORD_LENGTH} characters`,
  },
  {
    appliesTo: isPassword,
    breaks: isGuessable,
    what: "is made of common words, dates or repetitions, so it can be guessed",
  },
];

const PLACEHOLDERS = [
  /generate[_-]?with/i,
  /change[_-]?(me|this)/i,
  /replace[_-]?(me|this|with)/i,
  /^your[_-]/i,
  /placeholder/i,
  /^<.*>$/,
  /^\.{3}$/,
];

/** What is wrong with each secret that a source gives. One that nobody gives is no problem: it is generated. */
export function secretProblems(given: Partial<Record<SecretName, GivenSecret>>, stack: string): Problem[] {
  const problems: Problem[] = [];
  const keys = new Map<string, SecretName>();
  for (const [name, { value, place }] of Object.entries(given) as [SecretName, GivenSecret][]) {
    const definition = definitionOf(name);
    // Upper and lower case hex digits are the same key.
    const alike = isKey(definition) ? value.toLowerCase() : undefined;
    const twin = alike === undefined ? undefined : keys.get(alike);
    if (alike !== undefined && twin === undefined) keys.set(alike, name);
    const broken = RULES.find(
      ({ appliesTo, breaks }) => appliesTo(definition) && breaks(value, definition),
    )?.what;
    const what = broken ?? (twin === undefined ? undefined : `has the same value as ${twin}`);
    if (what !== undefined) problems.push({ key: name, what, fix: fixFor(name, value, place, stack) });
  }
  return problems;
}

function fixFor(name: SecretName, value: string, place: string, stack: string): string {
  const { generatedBytes, bound, guards } = definitionOf(name);
  if (generatedBytes === undefined)
    return guards
      ? `choose another one (${place})`
      : `set it to the value from its provider (${place}), or remove it`;
  const fresh = place.startsWith("rejourney:")
    ? `${command(stack, `pulumi config rm ${place}`)} (a new one is generated)`
    : `${value === "" ? "" : `empty the value (${place}), then: `}${command(stack, "secrets generate")}`;
  if (bound === undefined) return fresh;
  const rotated = guards
    ? ` if this is it, remove it (${place}), then: ${command(stack, `secrets rotate ${name}`)};`
    : "";
  return `put back the value in use;${rotated} if there is no data yet: ${fresh}`;
}

/** For values such as `aaaa…`, `abcabc…`, `0123…`: few different characters, a period, or neighbours in a row. */
function isPredictable(value: string): boolean {
  if (new Set(value).size < 8) return true;
  for (let period = 1; period <= value.length / 2; period++)
    if (value.slice(period) === value.slice(0, -period)) return true;
  const places = [...value].map(placeInAlphabet);
  const steps = places.filter((place, i) => i > 0 && Math.abs(place - places[i - 1]!) === 1).length;
  return steps > 0.6 * places.length;
}

// Hex digits count as one alphabet, so that 0123456789abcdef is one run.
function placeInAlphabet(character: string): number {
  const digit = "0123456789abcdef".indexOf(character);
  return digit >= 0 ? digit : character.codePointAt(0)! - 87; // g, of code 103, follows f, at 15
}
