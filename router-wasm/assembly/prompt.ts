// The prompt of the next decision or query: its token ids, and the local hashes of its blocks, made only as far as
// somebody asks.
import { blockBytes, hashBlocks, tokensPerBlock } from "./block-hash";
import { leave, takeForPrompt } from "./memory";

const FIRST_CAPACITY: u32 = 4096;

export let promptTokens: usize = 0;
let hashes: usize = 0;
let capacity: u32 = 0;
/** Hashes made so far. */
let hashed: u32 = 0;
export let promptBlocks: u32 = 0;
/** Whether the prompt, with its salt and media, is still that of the last decision. */
export let isPromptKept: bool = false;

/** Something that the prompt's hashes depend on is about to change. */
export function losePrompt(): void {
  isPromptKept = false;
}

/** Room for a prompt of this length; false when memory has run out. What was there is lost if it moves. */
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
    if (newTokens) leave(newTokens, <usize>wanted << 2);
    return false;
  }
  if (capacity) {
    leave(promptTokens, oldBytes);
    leave(hashes, oldHashBytes);
  }
  promptTokens = newTokens;
  hashes = newHashes;
  capacity = wanted;
  return true;
}

/** A decision on the first `tokens` ids begins; false when they cannot all be there. */
export function beginPrompt(tokens: u32): bool {
  if (tokens > capacity) return false;
  promptBlocks = tokens / tokensPerBlock;
  hashed = 0;
  isPromptKept = true;
  return true;
}

/** Room for the local hashes of so many blocks; 0 when memory has run out. */
export function reserveHashes(blocks: u32): usize {
  return reservePrompt(blocks * tokensPerBlock) ? hashes : 0;
}

/** A query for the first `blocks` of the hashes that the host has written begins; false when they cannot be there. */
export function beginHashed(blocks: u32): bool {
  if (<u64>blocks * <u64>tokensPerBlock > <u64>capacity) return false;
  promptBlocks = blocks;
  hashed = blocks;
  return true;
}

/** The local hashes of the prompt's blocks, as u64, made up to block `end`. */
// @ts-ignore: decorator
@inline
export function promptHashes(end: u32): usize {
  if (end > hashed) hashUpTo(end);
  return hashes;
}

function hashUpTo(end: u32): void {
  hashBlocks(promptTokens + <usize>hashed * blockBytes, end - hashed, hashes + (hashed << 3), hashed);
  hashed = end;
}
