import { distance } from "fastest-levenshtein";

/** The candidate that `word` is probably meant to be: spelled almost alike, or with letters added to its end. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const upper = word.toUpperCase();
  const limit = Math.max(2, Math.floor(word.length / 5)); // two swapped letters count two
  const near = candidates
    .map((candidate) => {
      const known = candidate.toUpperCase();
      const longer = upper.startsWith(known) && /^[A-Z]+$/.test(upper.slice(known.length));
      return { candidate, edits: longer ? 1 : distance(upper, known) };
    })
    .filter(({ edits }) => edits <= limit)
    .sort((a, b) => a.edits - b.edits);
  return near[0]?.candidate;
}
