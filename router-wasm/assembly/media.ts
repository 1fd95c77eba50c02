// Media (images, audio) in a prompt: placeholders look all alike, so the hashes of the media that lie in a block are
// hashed with its token ids. Entries in rising order of blocks: u32 block, u32 count, count × u64 sorted hashes; the
// end is marked by block 0xffffffff.
import { leave, takeForPrompt } from "./memory";

const END: u32 = 0xffffffff;

let area: usize = 0;
let capacity: usize = 0;
let entriesBytes: usize = 0;
/** The next entry, 0 when there are no media. */
let entry: usize = 0;

/** Room for entries of so many bytes, and to put a block together; 0 when memory has run out. */
export function reserveMedia(bytes: usize, blockBytes: usize): usize {
  entriesBytes = (bytes + 63) & ~63;
  const wanted = entriesBytes + blockBytes + bytes;
  if (wanted > capacity) {
    const piece = takeForPrompt(wanted);
    if (!piece) return 0;
    if (capacity) leave(area, capacity);
    area = piece;
    capacity = wanted;
  }
  return area;
}

/** The blocks hashed next have the media written in the area, or none. */
export function beginMedia(present: bool): void {
  entry = present ? area : 0;
}

// @ts-ignore: decorator
@inline
export function hasMedia(): bool {
  return entry != 0;
}

/** Media in this block? Ask for every block in rising order. */
export function mediaIn(block: u32): bool {
  return load<u32>(entry) == block;
}

/** The block's ids and the hashes of its media in one piece, of `joinedBytes` bytes. Goes on to the next entry. */
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
