import type { TokenPiece } from "#runtime";

/** Inclusive ranges of code points, sorted. */
export type Characters = readonly (readonly [first: number, last: number])[];

const bytesOf = (vocabulary: readonly TokenPiece[]): ReadonlySet<number> =>
  new Set(vocabulary.flatMap(({ bytes, control }) => (bytes.length === 1 && !control ? bytes[0]! : [])));

/**
 * Whether a model with this vocabulary can keep to grammars: whatever bytes of a character it has written, it can go on.
 * llama.cpp fails if it has nothing to sample.
 */
export function canKeepToGrammars(vocabulary: readonly TokenPiece[]): boolean {
  const bytes = bytesOf(vocabulary);
  return Array.from({ length: 0x40 }, (_, index) => 0x80 + index).every((byte) => bytes.has(byte));
}

/**
 * The characters that tokens can write. Vocabularies lack some: control characters, and planes of Unicode without
 * characters.
 */
export function writableCharacters(vocabulary: readonly TokenPiece[]): Characters {
  const bytes = bytesOf(vocabulary);
  const result: [number, number][] = [];
  const add = (first: number, last: number) => {
    const before = result.at(-1);
    if (before?.[1] === first - 1) before[1] = last;
    else result.push([first, last]);
  };
  for (const [lead, first, last] of leads()) if (bytes.has(lead)) add(first, last);
  return result;
}

/** The first bytes of UTF-8, each with the characters that it begins. NUL is none: llama.cpp ends a text there. */
function* leads(): Generator<[lead: number, first: number, last: number]> {
  for (let lead = 1; lead < 0x80; lead++) yield [lead, lead, lead];
  for (let lead = 0xc2; lead < 0xe0; lead++) yield [lead, (lead & 0x1f) << 6, ((lead & 0x1f) << 6) + 0x3f];
  for (let lead = 0xe0; lead < 0xf0; lead++) {
    const first = (lead & 0xf) << 12;
    // Without what fits into two bytes, and surrogates.
    yield [lead, Math.max(first, 0x800), lead === 0xed ? 0xd7ff : first + 0xfff];
  }
  for (let lead = 0xf0; lead < 0xf5; lead++) {
    const first = (lead & 7) << 18;
    yield [lead, Math.max(first, 0x10000), Math.min(first + 0x3ffff, 0x10ffff)];
  }
}
