/** A set of code points: inclusive ranges, sorted and disjoint. */
export type Ranges = readonly (readonly [first: number, last: number])[];

/** Every Unicode character. Surrogates are none, and cannot occur in an answer's text. */
export const ANY: Ranges = [
  [0, 0xd7ff],
  [0xe000, 0x10ffff],
];

/** The characters of a text. */
export const charactersOf = (text: string): Ranges =>
  union(
    Array.from(text, (character): [number, number] => [character.codePointAt(0)!, character.codePointAt(0)!]),
  );

/** Sorts and joins ranges. */
export function union(...sets: Ranges[]): Ranges {
  const sorted = sets.flat().sort((one, other) => one[0] - other[0]);
  const result: [number, number][] = [];
  for (const [first, last] of sorted) {
    const before = result.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else result.push([first, last]);
  }
  return result;
}

export function intersection(one: Ranges, other: Ranges): Ranges {
  const result: [number, number][] = [];
  let [a, b] = [0, 0];
  while (a < one.length && b < other.length) {
    const first = Math.max(one[a]![0], other[b]![0]);
    const last = Math.min(one[a]![1], other[b]![1]);
    if (first <= last) result.push([first, last]);
    if (one[a]![1] < other[b]![1]) a++;
    else b++;
  }
  return result;
}

/** The characters that are not in a set. */
export function complement(set: Ranges): Ranges {
  const result: [number, number][] = [];
  let next = 0;
  for (const [first, last] of set) {
    if (next < first) result.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= 0x10ffff) result.push([next, 0x10ffff]);
  return intersection(result, ANY);
}

export const difference = (one: Ranges, other: Ranges): Ranges => intersection(one, complement(other));
