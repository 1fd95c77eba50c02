/**
 * The candidate most similar to `name`, for "did you mean" in errors.
 * @param share of the longer one's letters that may have to change
 * @returns undefined if none is that similar
 */
export function nearest(name: string, candidates: Iterable<string>, share = 1 / 2): string | undefined {
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const limit = Math.max(name.length, candidate.length) * share;
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance > limit || distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/** The fewest insertions, deletions, substitutions, and exchanges of two neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  // Untrusted names can be of any length; beyond this one, similarity is meaningless.
  if (a.length > 256 || b.length > 256) return Number.POSITIVE_INFINITY;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let fewest = Math.min(change, row[j]! + 1, next[j - 1]! + 1);
      const isExchange = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isExchange) fewest = Math.min(fewest, before[j - 2]! + 1);
      next.push(fewest);
    }
    before = row;
    row = next;
  }
  return row[b.length]!;
}
