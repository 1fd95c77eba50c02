// Local hashes of blocks: XXH3 of the token ids as they lie in memory (little-endian u32), seeded with the salt.
import { xxh3, xxh3Of64 } from "./xxh3";

export let tokensPerBlock: u32 = 0;
export let blockBytes: usize = 0;
let seed: u64 = 0;

export function initBlockHash(blockSize: u32, salt: u64): void {
  tokensPerBlock = blockSize;
  blockBytes = <usize>blockSize << 2;
  seed = salt;
}

/** Hashes `count` blocks of `tokens` into `hashes`. */
export function hashBlocks(tokens: usize, count: u32, hashes: usize): void {
  if (blockBytes == 64) return xxh3Of64(tokens, count, seed, hashes);
  for (let i: u32 = 0; i < count; i++) {
    store<u64>(hashes + (i << 3), xxh3(tokens, blockBytes, seed));
    tokens += blockBytes;
  }
}
