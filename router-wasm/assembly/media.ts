// Media (images, audio) in a prompt. Placeholders are all alike, so the hashes of the media in a block are hashed
// together with its token ids. Entries by rising block: u32 block, u32 count, count × u64 sorted hashes; block
// 0xffffffff marks the end.
import { recycle, takeForPrompt } from "./memory";

const END: u32 = 0xffffffff;

let area: usize = 0;
let capacity: usize = 0;
let entriesBytes: usize = 0;
/** The next entry; 0 if there are no more media. */
let entry: usize = 0;

/** Allocates room for entries of this many bytes, and for joining a block with its media; 0 if memory has run out. */
export function reserveMedia(bytes: usize, blockBytes: usize): usize {
  entriesBytes = (bytes + 63) & ~63;
  const wanted = entriesBytes + blockBytes + bytes;
  if (wanted > capacity) {
    const piece = takeForPrompt(wanted);
    if (!piece) return 0;
    if (capacity) recycle(area, capacity);
    area = piece;
    capacity = wanted;
  }
  return area;
}

/** Starts hashing blocks, with the media in the area if `present`. */
export function beginMedia(present: bool): void {
  entry = present ? area : 0;
}

// @ts-ignore: decorator
@inline
export function hasMedia(): bool {
  return entry != 0;
}

/** Whether this block has media. Must be called for every block in rising order. */
export function mediaIn(block: u32): bool {
  return load<u32>(entry) == block;
}

/** Joins the block's ids and media hashes into `joinedBytes` bytes, and advances to the next entry. */
export function joinMedia(tokens: usize, blockBytes: usize): usize {
  const joined = area + entriesBytes;
  const bytes = <usize>load<u32>(entry, 4) << 3;
  memory.copy(joined, tokens, blockBytes);
  memory.copy(joined + blockBytes, entry + 8, bytes);
  joinedBytes = blockBytes + bytes;
  entry += 8 + bytes;
  if (load<u32>(entry) == END) entry = 0;
  return joined;
}

export let joinedBytes: usize = 0;
