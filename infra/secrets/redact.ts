import { withoutControls } from "../printable.ts";

/** The shortest text that is taken out; less would tear every text apart. */
const SHORTEST = 4;
/** The same of a value in base64, of which a few characters are found in much else. */
const SHORTEST_BASE64 = 8;

/**
 * Takes these values out of a text, in every form that programs write them in: as they are, a line of PEM alone, as JSON and as
 * JSON within JSON, in a URL, in quotes, in HTML, in hex, and in base64, also where that holds more than the value.
 */
export function redactor(values: Iterable<string>): (text: string) => string {
  const forms = new Set([...values].flatMap((value) => [value, ...linesOf(value)]).flatMap(formsOf));
  // The longest first, so that one inside another leaves no rest behind.
  const hidden = [...forms].sort((a, b) => b.length - a.length);
  return (text) =>
    hidden.reduce((clean, form) => clean.replaceAll(form, "[redacted]"), withoutControls(text));
}

/** The lines of a certificate or key in PEM, each of which tells a part of it. Other texts have lines that say nothing. */
function linesOf(value: string): string[] {
  if (!value.includes("-----BEGIN ")) return [];
  return value.split(/\r?\n/).filter((line) => !line.startsWith("-----"));
}

function formsOf(value: string): string[] {
  const json = jsonForm(value);
  const url = encodeURIComponent(value.toWellFormed());
  const plain = [
    value,
    ...[json, goForm(json), asciiForm(json)].flatMap((form) => [
      form,
      jsonForm(form),
      goForm(jsonForm(form)),
    ]),
    jsonForm(jsonForm(json)),
    // In quotes of SQL, of a shell, and of JavaScript as Node shows it.
    value.replaceAll("'", "''"),
    value.replaceAll("'", String.raw`'\''`),
    value.replaceAll(/['\\]/g, (character) => `\\${character}`),
    ...HTML.map((named) => value.replaceAll(/[&<>"']/g, (character) => named[character]!)),
    // As encoders write it that leave no sub-delimiter, that write digits in lower case, and that write forms.
    url,
    url.replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`),
    url.replaceAll(/%../g, (escape) => escape.toLowerCase()),
    url.replaceAll("%20", "+"),
    url.replaceAll("%", "%25"),
    new URLSearchParams({ v: value }).toString().slice("v=".length),
    encodeURI(value.toWellFormed()),
    Buffer.from(value).toString("hex"),
  ];
  return [
    ...plain.filter((form) => form.length >= SHORTEST),
    ...[value, json].flatMap(base64Forms).filter((form) => form.length >= SHORTEST_BASE64),
  ];
}

const AMPERSAND = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
/** The entities that programs write in HTML and XML. */
const HTML: readonly Record<string, string>[] = [
  { ...AMPERSAND, '"': "&quot;", "'": "&#39;" },
  { ...AMPERSAND, '"': "&#34;", "'": "&#39;" },
  { ...AMPERSAND, '"': "&quot;", "'": "&apos;" },
  { ...AMPERSAND, '"': "&quot;", "'": "'" },
  { ...AMPERSAND, '"': '"', "'": "'" },
];

function jsonForm(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

/** JSON as Go writes it, and so the kubelet, Traefik and many others: with these characters by their numbers. */
function goForm(json: string): string {
  return json.replaceAll(/[&<>]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
}

/** JSON without a character beyond ASCII, as Python writes it. */
function asciiForm(json: string): string {
  return json.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * The characters of base64 that a value alone decides, for each of the three places at which it may begin in what was
 * encoded: `Basic` of HTTP, say, has the user before it.
 */
function base64Forms(value: string): string[] {
  return [0, 1, 2].flatMap((before) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(value)]);
    const text = bytes.toString("base64").replace(/=+$/, "");
    const own = text.slice(Math.ceil((before * 8) / 6), bytes.length % 3 === 0 ? undefined : -1);
    return [own, own.replaceAll("+", "-").replaceAll("/", "_")];
  });
}
