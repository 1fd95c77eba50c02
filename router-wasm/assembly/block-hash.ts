// Local hashes of blocks: XXH3 of the token ids as little-endian u32, seeded with the salt.
import { hasMedia, joinedBytes, joinMedia, mediaIn } from "./media";
import { xxh3, xxh3Of64 } from "./xxh3";

export let tokensPerBlock: u32 = 0;
export let blockBytes: usize = 0;
let seed: u64 = 0;

export function initBlockHash(blockSize: u32): void {
  tokensPerBlock = blockSize;
  blockBytes = <usize>blockSize << 2;
}

/** Sets the salt of blocks that are hashed from now on. */
export function useSeed(salt: u64): void {
  seed = salt;
}

/** Hashes `count` blocks of `tokens` into `hashes`. `first` is the number of the first block, for its media. */
export function hashBlocks(tokens: usize, count: u32, hashes: usize, first: u32): void {
  if (hasMedia()) return hashWithMedia(tokens, count, hashes, first);
  if (blockBytes == 64) return xxh3Of64(tokens, count, seed, hashes);
  for (let i: u32 = 0; i < count; i++) {
    store<u64>(hashes + (i << 3), xxh3(tokens, blockBytes, seed));
    tokens += blockBytes;
  }
}

function hashWithMedia(tokens: usize, count: u32, hashes: usize, first: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const joins = hasMedia() && mediaIn(first + i);
    const input = joins ? joinMedia(tokens, blockBytes) : tokens;
    store<u64>(hashes + (i << 3), xxh3(input, joins ? joinedBytes : blockBytes, seed));
    tokens += blockBytes;
  }
}
