/**
 * Sequence hashes as 53-bit numbers, from two 32-bit mixes of the block's tokens and the previous hash. That suffices to
 * distinguish the blocks of a simulation; engines' hashes are opaque anyway.
 */
export function nextHash(previous: number, tokens: ArrayLike<number>, start: number, end: number): number {
  let low = (previous >>> 0) ^ 0x9e3779b9;
  let high = Math.floor(previous / 2 ** 32) ^ 0x85ebca6b;
  for (let index = start; index < end; index++) {
    const token = tokens[index]!;
    low = Math.imul(low ^ token, 0xcc9e2d51);
    low ^= low >>> 15;
    high = Math.imul(high ^ token ^ low, 0x1b873593);
    high ^= high >>> 13;
  }
  return (high & 0x1f_ffff) * 2 ** 32 + (low >>> 0);
}

/** The hash before a sequence's first block, which differs between LoRA adapters. */
export function seedOf(loraName: string | undefined): number {
  if (loraName === undefined) return 0;
  const bytes = new TextEncoder().encode(loraName);
  return nextHash(0, bytes, 0, bytes.length);
}
