// Applies workers' events: blocks stored and removed. Blocks are usually processed many at a time, but one by one if
// hashes collide, an alias exists, or a limit is near.
import { makeNewest } from "./age";
import { anyAliasOf } from "./aliases";
import { blockAfter } from "./children";
import { findBlock, touchBuckets } from "./engine-table";
import { heldMask, ownMask } from "./holders";
import { DISK, heldByKind, holderOf, HOST, POOL } from "./kinds";
import {
  blockNamed,
  hold,
  holdNew,
  holdShared,
  holdsShared,
  isHeld,
  lengthen,
  makeRoom,
  mayHaveSeveralHashes,
  nameBlocks,
  newPlace,
  pin,
  release,
  releaseShared,
  runForNew,
} from "./holding";
import { blockOf, engineOf, firstBits, lengthOf, localOf, PARENT, placeOf, runOf, SHARED } from "./run";
import { count, IGNORED_EVENTS, REFUSED_BLOCKS, UNKNOWN_REMOVALS } from "./stats";

/** The last block written, after which the event continues; 0: the start of the sequence. */
let cursor: u32 = 0;
/** Whether the event created that block, so that nothing follows it yet. */
let cursorIsNew: bool = false;

/** Begins an event whose first block follows the block named by `parentHash`; false if the worker has no such block. */
export function beginStored(h: u32, w: u32, hasParent: bool, parentHash: u64): bool {
  cursor = hasParent ? blockNamedAnywhere(h, w, parentHash) : 0;
  cursorIsNew = false;
  if (hasParent && !cursor) {
    count(IGNORED_EVENTS);
    return false;
  }
  pin(cursor ? runOf(cursor) : 0);
  return true;
}

/** The local hash of the block after which the event continues; 0 at the start of a sequence. */
export function localBefore(): u64 {
  return cursor ? localOf(runOf(cursor), placeOf(cursor)) : 0;
}

/** The block that the hash names for the holder, or otherwise for another holder of the worker or the pool. */
function blockNamedAnywhere(h: u32, w: u32, hash: u64): u32 {
  let block = blockNamed(h, hash);
  if (!block && h != w) block = blockNamed(w, hash);
  if (block || heldByKind(HOST) + heldByKind(DISK) + heldByKind(POOL) == 0) return block;
  block = blockNamed(holderOf(HOST, w), hash);
  if (!block) block = blockNamed(holderOf(DISK, w), hash);
  return block ? block : blockNamed(holderOf(POOL, w), hash);
}

/**
 * Stores copies of blocks that the holder, another holder of worker `w` or the pool has under these hashes. Hashes that
 * none of them has are counted as ignored. Returns how many blocks were stored.
 */
export function storeNamed(h: u32, w: u32, hashes: usize, blocks: u32): u32 {
  let stored: u32 = 0;
  for (let i: u32 = 0; i < blocks; i++) {
    const hash = load<u64>(hashes + (i << 3));
    const room = makeRoom(false, false);
    const block = blockNamedAnywhere(h, w, hash);
    if (!block) {
      count(IGNORED_EVENTS);
      continue;
    }
    const run = runOf(block);
    pin(run);
    makeNewest(run);
    if (room && storeAgain(h, run, placeOf(block), hash)) stored++;
    else count(REFUSED_BLOCKS);
  }
  pin(0);
  return stored;
}

/** Ends an event. @param refused how many blocks could not be stored */
export function endStored(refused: u32): void {
  count(REFUSED_BLOCKS, refused);
  pin(0);
}

/**
 * Stores `blocks` more consecutive blocks with these local hashes.
 * Returns how many were stored; fewer if there is no room.
 */
export function storeBlocks(w: u32, hashes: usize, locals: usize, blocks: u32): u32 {
  let done: u32 = 0;
  while (done < blocks) {
    const at = done << 3;
    const stored = storeSome(w, hashes + at, locals + at, blocks - done);
    if (!stored) break;
    done += stored;
  }
  return done;
}

/** Stores at least one of the blocks after the cursor. Returns how many; 0 if there is no room. */
function storeSome(w: u32, hashes: usize, locals: usize, blocks: u32): u32 {
  // Even removing a hash may need memory for a holder, so it is reserved before any look-up.
  if (!makeRoom(false, false)) return 0;
  const next = cursorIsNew ? 0 : blockAfter(cursor, load<u64>(locals));
  if (!next) return addBlocks(w, hashes, locals, blocks);
  const run = runOf(next);
  const place = placeOf(next);
  pin(run);
  makeNewest(run);
  const stored = shareBlocks(w, run, place, hashes, locals, blocks);
  if (stored) return stored;
  cursor = next;
  return storeAgain(w, run, place, load<u64>(hashes)) ? 1 : 0;
}

/** Stores blocks that others hold under the same hashes, starting at `place` in the run. */
function shareBlocks(w: u32, run: usize, place: u32, hashes: usize, locals: usize, blocks: u32): u32 {
  if (anyAliasOf(w)) return 0;
  const shared = load<u32>(run, SHARED);
  const end = min(lengthOf(run) - place, blocks);
  let bits: u32 = 0;
  let same: u32 = 0;
  for (; same < end; same++) {
    const at = place + same;
    if (localOf(run, at) != load<u64>(locals + (same << 3))) break;
    if (engineOf(run, at) != load<u64>(hashes + (same << 3)) || !((shared >> at) & 1)) break;
    bits |= <u32>1 << at;
  }
  if (!same) {
    same = nameBlocks(run, place, locals, hashes, blocks);
    bits = firstBits(same) << place;
  }
  if (!same || !holdShared(w, run, bits)) return 0;
  cursor = blockOf(run, place + same - 1);
  return same;
}

/** Stores a block that exists already. */
function storeAgain(w: u32, run: usize, place: u32, hash: u64): bool {
  const block = blockOf(run, place);
  const before = blockNamed(w, hash);
  if (before == block) return true;
  if (before) release(w, hash, before);
  if (!makeRoom(!isHeld(run, place), false)) return false;
  hold(w, run, place, hash);
  return true;
}

/** Adds new blocks after the cursor: to its run, if it is the last block and has no other holders, or to a new run. */
function addBlocks(w: u32, hashes: usize, locals: usize, blocks: u32): u32 {
  const hash = load<u64>(hashes);
  const before = blockNamed(w, hash);
  if (before) release(w, hash, before);
  const run = runForNew(w, cursor, load<u64>(locals));
  if (!run) return 0;
  const place = newPlace;
  let added = holdNew(w, run, place, locals, hashes, blocks);
  if (!added) {
    // A new run has its first block already.
    if (place) lengthen(run, w, load<u64>(locals));
    hold(w, run, place, hash);
    added = 1;
  }
  pin(run);
  cursor = blockOf(run, place + added - 1);
  cursorIsNew = true;
  return added;
}

/** How many hashes are looked up before their removal, so that cache misses overlap. */
const AHEAD: u32 = 32;
const BLOCKS_AHEAD: usize = memory.data(32 * 4, 16);

/** The worker has dropped these blocks. Returns how many it held. */
export function removeBlocks(w: u32, hashes: usize, blocks: u32): u32 {
  let removed: u32 = 0;
  for (let done: u32 = 0; done < blocks; ) {
    const some = min(blocks - done, AHEAD);
    removed += removeSome(w, hashes + (done << 3), some);
    done += some;
  }
  return removed;
}

function removeSome(w: u32, hashes: usize, blocks: u32): u32 {
  touchBuckets(hashes, blocks);
  let block: u32 = 0;
  for (let i: u32 = 0; i < blocks; i++) {
    const hash = load<u64>(hashes + (i << 3));
    const near = block ? neighbourNamed(block, hash) : 0;
    block = near ? near : findBlock(hash);
    store<u32>(BLOCKS_AHEAD + (i << 2), block);
  }
  let removed: u32 = 0;
  for (let i: u32 = 0; i < blocks; ) {
    makeRoom(false, false);
    const some = removeInRun(w, hashes + (i << 3), BLOCKS_AHEAD + (i << 2), blocks - i);
    if (some) {
      removed += some;
      i += some;
      continue;
    }
    const hash = load<u64>(hashes + (i << 3));
    const block = blockNamed(w, hash);
    if (block) {
      release(w, hash, block);
      removed++;
    } else {
      count(UNKNOWN_REMOVALS);
    }
    i++;
  }
  return removed;
}

/**
 * The block before or after this one, in its run or the previous run, if it has this hash; otherwise 0. Blocks are
 * usually dropped in sequence or reverse sequence, so the table is rarely needed.
 */
function neighbourNamed(block: u32, hash: u64): u32 {
  const run = runOf(block);
  const place = placeOf(block);
  const before = place ? block - 1 : load<u32>(run, PARENT);
  if (before && isNamed(before, hash)) return before;
  return place + 1 < lengthOf(run) && isNamed(block + 1, hash) ? block + 1 : 0;
}

// @ts-ignore: decorator
@inline
function isNamed(block: u32, hash: u64): bool {
  const run = runOf(block);
  const place = placeOf(block);
  return engineOf(run, place) == hash && ((load<u32>(run, SHARED) >> place) & 1) != 0;
}

/** Removes leading blocks, as many as are in one run and held by the worker under the shared hashes. */
function removeInRun(w: u32, hashes: usize, found: usize, blocks: u32): u32 {
  const first = load<u32>(found);
  if (!first || !holdsShared(w, first)) return 0;
  const run = runOf(first);
  if (mayHaveSeveralHashes(run)) return 0;
  const removable = heldMask(run, w) & ~ownMask(run, w);
  let bits: u32 = 0;
  let some: u32 = 0;
  for (; some < blocks; some++) {
    const block = load<u32>(found + (some << 2));
    const bit = <u32>1 << placeOf(block);
    if (runOf(block) != run || !(removable & bit) || bits & bit) break;
    bits |= bit;
  }
  releaseShared(w, run, bits);
  return some;
}
