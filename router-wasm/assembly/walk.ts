// The walk down the tree along the prompt, run by run.
import { childInBucket, followerOf, follows, touchBucket } from "./children";
import { digestOfFirst } from "./digest";
import { promptBlocks, promptHashes } from "./prompt";
import { blockOf, DIGEST, firstLocalOf, lengthOf, LINE, localsOf, PARENT, WIDE } from "./run";
import { notePath, tiered } from "./tiers";

/** Keeps the compiler from removing prefetches. */
let touched: u32 = 0;

/**
 * Up to 32 stretches of the walk whose holders have not been processed yet, which is faster in batches than run by run.
 * A stretch is a run, or several full ones with the same holders: u32 first run, u32 the prompt's block after it.
 */
export const PATH: usize = memory.data(32 * 8, 16);
const LAST_STRETCH: usize = PATH + (31 << 3);

/** Where the walk continues: the next run (0 at the end), and the number of the prompt's block at its start. */
export let walkRun: usize = 0;
let walked: u32 = 0;

/** Begins the walk for a prompt of at least one block. */
export function beginWalk(): void {
  walkRun = childInBucket(0, load<u64>(promptHashes(1)));
  walked = 0;
}

/**
 * Walks the next stretches. Returns the end of `PATH`.
 *
 * Each run's successor is read before the run itself is compared, so that their cache misses overlap.
 */
export function advanceWalk(): usize {
  let run = walkRun;
  let at = walked;
  let stretch = PATH - 8;
  // The previous run, if the prompt follows all of it.
  let before: usize = 0;
  const blocks = promptBlocks;
  while (run) {
    if (!before || !sameHolders(before, run)) {
      if (stretch == LAST_STRETCH) break;
      stretch += 8;
      store<u32>(stretch, <u32>run);
    }
    before = run;
    const length = lengthOf(run);
    const end = at + length;
    // How many blocks of the run the prompt follows, if it leaves the run early or ends in it.
    let matched: u32 = 0;
    let next: usize = 0;
    if (end < blocks) {
      const hashes = promptHashes(end + 1) + (at << 3);
      const parent = blockOf(run, length - 1);
      const local = load<u64>(hashes + (length << 3));
      next = followerOf(run);
      // A branch with a store in it, which the compiler cannot turn into a select that waits for the comparison.
      if (!follows(next, parent, local)) {
        matched = partBefore(next, run, hashes);
        if (!matched) {
          touched = touchBucket(parent, local);
          next = 0;
        }
      }
      if (!matched && matches(run, hashes, length)) {
        if (tiered) notePath(run, end);
        store<u32>(stretch, end, 4);
        at = end;
        run = next;
        if (!run) run = childInBucket(parent, local);
        continue;
      }
    }
    if (!matched) {
      const hashes = promptHashes(min(end, blocks)) + (at << 3);
      matched = end == blocks && matches(run, hashes, length) ? length : commonBlocks(run, hashes, min(length, blocks - at));
      next = 0;
      if (at + matched < blocks) {
        next = childInBucket(blockOf(run, matched - 1), load<u64>(promptHashes(at + matched + 1) + (at + matched << 3)));
      }
    }
    if (matched < length && load<u32>(stretch) != run) {
      // Only full runs are combined.
      if (stretch == LAST_STRETCH) break;
      stretch += 8;
      store<u32>(stretch, <u32>run);
    }
    at += matched;
    if (tiered) notePath(run, at);
    store<u32>(stretch, at, 4);
    run = next;
    before = 0;
  }
  walkRun = run;
  walked = at;
  return stretch + 8;
}

/** How many blocks of the run the prompt follows before it branches off to `next`; 0 if it does not. */
// @ts-ignore: decorator
@inline
function partBefore(next: usize, run: usize, hashes: usize): u32 {
  const part = load<u32>(next, PARENT) + 1 - blockOf(run, 0);
  if (part - 1 >= lengthOf(run) || !lengthOf(next) || firstLocalOf(next) != load<u64>(hashes + (part << 3))) return 0;
  return commonBlocks(run, hashes, part) == part ? part : 0;
}

/** Whether two runs, both followed completely, have the same holders. */
// @ts-ignore: decorator
@inline
function sameHolders(before: usize, run: usize): bool {
  // From the first line of holders, which no two runs share, to the end of the head.
  const one = v128.xor(v128.load(before, LINE), v128.load(run, LINE));
  const other = v128.xor(v128.load(before, LINE + 16), v128.load(run, LINE + 16));
  return (
    load<u32>(before, WIDE) == load<u32>(run, WIDE) &&
    lengthOf(before) == lengthOf(run) &&
    !v128.any_true(v128.or(one, other))
  );
}

/** Whether all of the run's blocks match the prompt, given that the first does. */
// @ts-ignore: decorator
@inline
function matches(run: usize, hashes: usize, length: u32): bool {
  return length == 1 || load<u64>(run, DIGEST) == digestOfFirst(hashes, length);
}

/** How many of the run's first `end` blocks match the prompt. */
function commonBlocks(run: usize, hashes: usize, end: u32): u32 {
  const locals = localsOf(run);
  let i: u32 = 0;
  // Eight at a time, because the point of divergence is unpredictable.
  for (; i + 8 <= end; i += 8) {
    const at = <usize>i << 3;
    const same =
      sameTwo(locals + at, hashes + at) |
      (sameTwo(locals + at + 16, hashes + at + 16) << 2) |
      (sameTwo(locals + at + 32, hashes + at + 32) << 4) |
      (sameTwo(locals + at + 48, hashes + at + 48) << 6);
    if (same != 255) return i + <u32>ctz(~same);
  }
  while (i < end && load<u64>(locals + (i << 3)) == load<u64>(hashes + (i << 3))) i++;
  return i;
}

/** A bit for each of two hashes, set if they are equal. */
// @ts-ignore: decorator
@inline
function sameTwo(locals: usize, hashes: usize): u32 {
  return i64x2.bitmask(i64x2.eq(v128.load(locals), v128.load(hashes)));
}
