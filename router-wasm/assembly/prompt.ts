// The prompt of the next decision or query: its token ids and the local hashes of its blocks, which are computed on
// demand.
import { blockBytes, hashBlocks, tokensPerBlock } from "./block-hash";
import { recycle, takeForPrompt } from "./memory";

const FIRST_CAPACITY: u32 = 4096;

export let promptTokens: usize = 0;
let hashes: usize = 0;
let capacity: u32 = 0;
/** Hashes computed so far. */
let hashed: u32 = 0;
export let promptBlocks: u32 = 0;
/** Whether the prompt, with its salt and media, is still that of the last decision. */
export let isPromptKept: bool = false;

/** Invalidates the kept prompt, because something that its hashes depend on is about to change. */
export function invalidatePrompt(): void {
  isPromptKept = false;
}

/** Allocates room for a prompt of this length; false if memory has run out. The previous prompt may be lost. */
export function reservePrompt(tokens: u32): bool {
  isPromptKept = false;
  if (tokens <= capacity) return true;
  let wanted = max(capacity, FIRST_CAPACITY);
  while (wanted < tokens) wanted <<= 1;
  const oldBytes = <usize>capacity << 2;
  const oldHashBytes = <usize>(capacity / tokensPerBlock) << 3;
  const newTokens = takeForPrompt(<usize>wanted << 2);
  const newHashes = newTokens ? takeForPrompt(max(<usize>(wanted / tokensPerBlock) << 3, 64)) : 0;
  if (!newHashes) {
    if (newTokens) recycle(newTokens, <usize>wanted << 2);
    return false;
  }
  if (capacity) {
    recycle(promptTokens, oldBytes);
    recycle(hashes, oldHashBytes);
  }
  promptTokens = newTokens;
  hashes = newHashes;
  capacity = wanted;
  return true;
}

/** Begins a decision on the first `tokens` ids; false if there is no room for them. */
export function beginPrompt(tokens: u32): bool {
  if (tokens > capacity) return false;
  promptBlocks = tokens / tokensPerBlock;
  hashed = 0;
  isPromptKept = true;
  return true;
}

/** Allocates room for the local hashes of this many blocks; 0 if memory has run out. */
export function reserveHashes(blocks: u32): usize {
  return reservePrompt(blocks * tokensPerBlock) ? hashes : 0;
}

/** Begins a query for the first `blocks` hashes that the host has written; false if there is no room for them. */
export function beginHashed(blocks: u32): bool {
  if (<u64>blocks * <u64>tokensPerBlock > <u64>capacity) return false;
  promptBlocks = blocks;
  hashed = blocks;
  return true;
}

/** The local hashes of the prompt's blocks, as u64, computed up to block `end`. */
// @ts-ignore: decorator
@inline
export function promptHashes(end: u32): usize {
  if (end > hashed) hashUpTo(end);
  return hashes;
}

function hashUpTo(end: u32): void {
  const before: u64 = hashed ? load<u64>(hashes + (<usize>(hashed - 1) << 3)) : 0;
  hashBlocks(promptTokens + <usize>hashed * blockBytes, end - hashed, hashes + (<usize>hashed << 3), hashed, before);
  hashed = end;
}
