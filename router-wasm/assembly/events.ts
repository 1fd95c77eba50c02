// What workers report: blocks stored and removed.
import { makeNewest } from "./age";
import { aliasOf } from "./aliases";
import { hashBlock } from "./block-hash";
import { childOf } from "./children";
import { lengthen, onlyHolder } from "./holders";
import { blockNamed, hold, holdsShared, isHeld, makeRoom, pin, release, startRun } from "./holding";
import {
  blockOf,
  BLOCKS_PER_RUN,
  engineOf,
  lengthOf,
  localOf,
  LOCALS,
  placeOf,
  runOf,
  SHARED,
} from "./run";
import { count, IGNORED_EVENTS, REFUSED_BLOCKS, UNKNOWN_REMOVALS } from "./stats";

/** The last block written, after which the next piece of the same event goes on; 0: the sequence's start. */
let cursor: u32 = 0;

/** Begins an event whose first block follows the block that `parentHash` names; false when the worker has none. */
export function beginStored(w: u32, hasParent: bool, parentHash: u64): bool {
  cursor = hasParent ? blockNamed(w, parentHash) : 0;
  if (hasParent && !cursor) {
    count(IGNORED_EVENTS);
    return false;
  }
  pin(cursor ? runOf(cursor) : 0);
  return true;
}

/** Stores `blocks` more consecutive blocks. Returns how many; fewer when there is no room. */
export function storeBlocks(w: u32, hashes: usize, tokens: usize, tokenBytes: usize, blocks: u32): u32 {
  for (let i: u32 = 0; i < blocks; i++) {
    const hash = load<u64>(hashes + (i << 3));
    if (!storeBlock(w, hash, hashBlock(tokens + <usize>i * tokenBytes))) return i;
  }
  return blocks;
}

/** Ends an event, of which so many blocks could not be stored. */
export function endStored(refused: u32): void {
  count(REFUSED_BLOCKS, refused);
  pin(0);
}

/** Steps the cursor to the block after it with this local hash, which the worker holds from now on. */
function storeBlock(w: u32, hash: u64, local: u64): bool {
  const above = cursor ? runOf(cursor) : 0;
  let run = above;
  let place: u32 = cursor ? placeOf(cursor) + 1 : 0;
  if (!run || place >= lengthOf(run) || localOf(run, place) != local) {
    run = childOf(cursor, local);
    place = 0;
  }
  if (!run) return addBlock(w, hash, local);
  pin(run);
  makeNewest(run);
  const block = blockOf(run, place);
  cursor = block;
  const shared = ((load<u32>(run, SHARED) >> place) & 1) != 0 && engineOf(run, place) == hash;
  let before: u32;
  if (shared) {
    // The usual case: the block that this hash names for everybody. Only an alias could make it name another.
    if (holdsShared(w, block)) return true;
    const alias = aliasOf(w, hash);
    before = alias ? blockNamed(w, hash) : 0;
  } else {
    before = blockNamed(w, hash);
  }
  if (before == block) return true;
  if (before) release(w, hash, before);
  if (!makeRoom(!isHeld(run, place), false)) return false;
  hold(w, run, place, hash);
  return true;
}

/** Adds a new block after the cursor: to its run when it is the run's last and nobody else's, else in a new run. */
function addBlock(w: u32, hash: u64, local: u64): bool {
  const before = blockNamed(w, hash);
  if (before) release(w, hash, before);
  let run = cursor ? runOf(cursor) : 0;
  let place = cursor ? placeOf(cursor) + 1 : 0;
  if (run && place == lengthOf(run) && place < BLOCKS_PER_RUN && onlyHolder(run, w)) {
    if (!makeRoom(true, false)) return false;
    store<u64>(run + (place << 3), local, LOCALS);
    lengthen(run, w);
    hold(w, run, place, hash);
    makeNewest(run);
  } else {
    if (!makeRoom(true, true)) return false;
    run = startRun(cursor, local);
    place = 0;
    hold(w, run, place, hash);
    pin(run);
  }
  cursor = blockOf(run, place);
  return true;
}

/** The worker dropped these blocks. Returns how many it held. */
export function removeBlocks(w: u32, hashes: usize, blocks: u32): u32 {
  let removed: u32 = 0;
  for (let i: u32 = 0; i < blocks; i++) {
    const hash = load<u64>(hashes + (i << 3));
    const block = blockNamed(w, hash);
    if (block) {
      release(w, hash, block);
      removed++;
    } else {
      count(UNKNOWN_REMOVALS);
    }
  }
  return removed;
}
