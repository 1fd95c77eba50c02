import type { Extras, Hashes, TokenRuns } from "./trace.ts";

/** A text as a list of block numbers. A block always has the same tokens, so that texts can share prefixes. */
export type Text = number[];

/** A text of parts `[first, count]`: the blocks first, first + 1, … */
export function pathOf(...parts: [first: number, count: number][]): Text {
  return parts.flatMap(([first, count]) => Array.from({ length: count }, (_, i) => first + i));
}

/** The blocks' token ids, which cross the limits of signed and unsigned numbers. */
export function runsOf(text: Text, blockSize: number): TokenRuns {
  const runs: TokenRuns = [];
  for (const block of text) {
    const first = ((block % 2 === 0 ? 0x7fff_ff00 : 0xffff_ff00) + (block >> 1) * blockSize) >>> 0;
    runs.push([first, blockSize]);
  }
  return runs;
}

export function promptOf(text: Text, blockSize: number): { tokens: TokenRuns } {
  return { tokens: runsOf(text, blockSize) };
}

/** Engine hashes of the blocks, which depend on all previous blocks and the engine's seed. */
export function namesOf(text: Text, seed: number): Hashes {
  let name = BigInt(seed + 1);
  return text.map((block) => {
    name = BigInt.asUintN(64, name * 0x5851f42d4c957f2dn + BigInt(block) + 1n);
    return `0x${name.toString(16)}`;
  });
}

/** Colliding engine hashes: only eleven different ones. */
export function fewNamesOf(text: Text): Hashes {
  return namesOf(text, 0).map((name) => `0x${(BigInt(name) % 11n).toString(16)}`);
}

/** Up to three hashes, unsorted, for every `every`th block. */
export function mediaFor(blocks: number, every: number): NonNullable<Extras["media"]> {
  return Array.from({ length: blocks }, (_, block) => {
    if (block % every !== 0) return null;
    return Array.from(
      { length: 1 + (block % 3) },
      (_, i) => `0x${BigInt.asUintN(64, BigInt(i - 2 - block)).toString(16)}`,
    );
  });
}
