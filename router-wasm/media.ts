import type { Core } from "./core.ts";
import { RouterError } from "./errors.ts";
import type { MediaHashes } from "./types.ts";

const END = 0xffffffff;

/**
 * Writes the media of `blocks` blocks, starting at block `first`, to the core's media area (`assembly/media.ts`).
 * Returns false if there are none.
 */
export function writeMedia(
  core: Core,
  mmHashes: MediaHashes | undefined,
  first: number,
  blocks: number,
): boolean {
  if (mmHashes === undefined) return false;
  const piece = mmHashes.slice(first, first + blocks);
  let words = 0;
  for (const hashes of piece) if (hashes?.length) words += 1 + hashes.length;
  if (words === 0) return false;
  const area = core.exports.mediaArea((words + 1) * 8);
  if (area === 0)
    throw new RouterError("memory", "There is not enough memory for the prompt's media hashes.");
  const { u32, u64 } = core;
  let at = area >>> 3;
  for (const [block, hashes] of piece.entries()) {
    if (!hashes?.length) continue;
    u32[at * 2] = block;
    u32[at * 2 + 1] = hashes.length;
    u64.set(hashes.slice().sort(), at + 1);
    at += 1 + hashes.length;
  }
  u32[at * 2] = END;
  return true;
}
