import { readdirSync, readFileSync } from "node:fs";

/** Milliseconds between two looks at the processes of this machine. */
const LOOK_EVERY = 25;

/** A value as it is, in hex, encoded for a URL, as JSON, and in base64 wherever it stands in what is encoded. */
function formsOf(value: string): string[] {
  const bytes = Buffer.from(value);
  const base64 = [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString("base64")
      .replaceAll("=", "");
    // The characters at both ends depend on what stands beside the value.
    return text.slice(offset === 0 ? 0 : 4, -2);
  });
  return [
    value,
    bytes.toString("hex"),
    encodeURIComponent(value),
    JSON.stringify(value).slice(1, -1),
    ...base64,
  ];
}

/** Which of the values are in which of the places, in whatever form: `NAME in place`. An empty value is no secret. */
export function found(
  values: Readonly<Record<string, string>>,
  places: Iterable<readonly [string, string]>,
): string[] {
  const texts = [...places];
  return Object.entries(values)
    .filter(([, value]) => value !== "")
    .flatMap(([name, value]) => {
      const forms = formsOf(value);
      return texts
        .filter(([, text]) => forms.some((form) => text.includes(form)))
        .map(([place]) => `${name} in ${place}`);
    });
}

/** Collects the command lines of all processes of this machine, those in containers too, until the end is asked for. */
export function watchCommandLines(): { end(): string } {
  const seen = new Set<string>();
  const timer = setInterval(() => {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, "latin1"));
      } catch {
        // it has ended meanwhile
      }
    }
  }, LOOK_EVERY);
  return {
    end() {
      clearInterval(timer);
      return [...seen].join("\n");
    },
  };
}
