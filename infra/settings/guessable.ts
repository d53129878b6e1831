import { createRequire } from "node:module";
import type { ZxcvbnFactory } from "@zxcvbn-ts/core";

/** Decimal logarithm of the guesses below which a password counts as one that can be guessed. */
const ENOUGH = 11;
/** Names that stand near this application, which guesses begin with. */
const NEAR = ["rejourney", "postgres", "postgresql", "redis", "minio", "minioadmin", "traefik", "dashboard"];

const load = createRequire(import.meta.url);
let estimator: ZxcvbnFactory | undefined;

/**
 * Whether a password can be guessed, by zxcvbn: common words and their spellings, dates, rows of keys, repetitions. Its
 * dictionaries are loaded when they are needed, which takes a third of a second; random hex digits do not need them.
 */
export function isGuessable(password: string): boolean {
  if (/^[0-9a-f]{40,}$/i.test(password) && new Set(password.toLowerCase()).size >= 12) return false;
  estimator ??= loaded();
  return estimator.check(password).guessesLog10 < ENOUGH;
}

function loaded(): ZxcvbnFactory {
  const { ZxcvbnFactory } = load("@zxcvbn-ts/core") as typeof import("@zxcvbn-ts/core");
  const common = load("@zxcvbn-ts/language-common") as typeof import("@zxcvbn-ts/language-common");
  const english = load("@zxcvbn-ts/language-en") as typeof import("@zxcvbn-ts/language-en");
  return new ZxcvbnFactory({
    dictionary: { ...common.dictionary, ...english.dictionary, near: NEAR },
    graphs: common.adjacencyGraphs,
  });
}
