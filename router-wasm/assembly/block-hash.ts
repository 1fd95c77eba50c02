// Local hashes of blocks: XXH3 of the token ids as little-endian u32, seeded with the salt. A tenant's salt is in one
// block only, as in vLLM's events: all blocks after it then belong to that tenant. With a key, a block's local hash is SipHash of its predecessor's (0 for the first block of a sequence) and of that: equal blocks then look alike
// only in equal prefixes, and nobody without the key can tell what is in them.
import { hasMedia, joinedBytes, joinMedia, mediaIn } from "./media";
import { setSipKey, sipOf16, sipOf8 } from "./sip-hash";
import { xxh3, xxh3Of64 } from "./xxh3";

export let tokensPerBlock: u32 = 0;
export let blockBytes: usize = 0;
let seed: u64 = 0;
/** No block. */
const NONE: u32 = 0xffffffff;
/** The block with a seed of its own, counted from the sequence's or the event's start, and that seed. */
let saltedBlock: u32 = NONE;
let saltedSeed: u64 = 0;
export let isKeyed: bool = false;

export function initBlockHash(blockSize: u32): void {
  tokensPerBlock = blockSize;
  blockBytes = <usize>blockSize << 2;
}

/** Sets the salt of blocks that are hashed from now on. They have no tenant. */
export function useSeed(salt: u64): void {
  seed = salt;
  saltedBlock = NONE;
}

/** Sets the seed of one block, which separates a tenant's blocks from there on. */
export function saltBlock(block: u32, salt: u64): void {
  saltedBlock = block;
  saltedSeed = salt;
}

/** Sets the key of all local hashes, before the first. */
export function useHashKey(low: u64, high: u64): void {
  setSipKey(low, high);
  isKeyed = true;
}

/**
 * Hashes `count` blocks of `tokens` into `hashes`.
 * @param first number of the first block, for its media and its salt
 * @param before the local hash of the block before it, 0 for none; only used with a key
 */
export function hashBlocks(tokens: usize, count: u32, hashes: usize, first: u32, before: u64): void {
  hashTokens(tokens, count, hashes, first);
  if (!isKeyed) return;
  for (let i: u32 = 0; i < count; i++) {
    const at = hashes + (<usize>i << 3);
    before = sipOf16(before, load<u64>(at));
    store<u64>(at, before);
  }
}

/** Replaces hashes by their keyed hashes. */
export function maskHashes(hashes: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const at = hashes + (<usize>i << 3);
    store<u64>(at, sipOf8(load<u64>(at)));
  }
}

function hashTokens(tokens: usize, count: u32, hashes: usize, first: u32): void {
  if (hasMedia()) return hashWithMedia(tokens, count, hashes, first);
  if (blockBytes == 64) xxh3Of64(tokens, count, seed, hashes);
  else hashEach(tokens, count, hashes);
  if (saltedBlock < first || saltedBlock - first >= count) return;
  const salted = <usize>(saltedBlock - first);
  store<u64>(hashes + (salted << 3), xxh3(tokens + salted * blockBytes, blockBytes, saltedSeed));
}

function hashEach(tokens: usize, count: u32, hashes: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    store<u64>(hashes + (<usize>i << 3), xxh3(tokens, blockBytes, seed));
    tokens += blockBytes;
  }
}

function hashWithMedia(tokens: usize, count: u32, hashes: usize, first: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const joins = hasMedia() && mediaIn(first + i);
    const input = joins ? joinMedia(tokens, blockBytes) : tokens;
    const salt = first + i == saltedBlock ? saltedSeed : seed;
    store<u64>(hashes + (<usize>i << 3), xxh3(input, joins ? joinedBytes : blockBytes, salt));
    tokens += blockBytes;
  }
}
