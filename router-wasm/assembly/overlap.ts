// Finds how many blocks at the start of the prompt each worker holds.
//
// The walk goes down the tree as long as the prompt's hashes match and any worker is alive: holds everything so far.
// A few alive workers are kept in a list, and their counts grow along the walk; many are kept in a bit set, and a
// worker's count is written when it drops out.
import { clearBit, hasBit, setBit } from "./bit-set";
import {
  beginCounts,
  clear,
  isClear,
  overlapOf,
  predicts,
  setOverlap,
  settle,
  settleSet,
  takeLonger,
  writeCounts,
} from "./counts";
import { firstSlot, GROUP, heldMask, HOLDER_BYTES, LINE_HOLDERS_END, NEXT_LINE, nextSlot } from "./holders";
import { stride } from "./kinds";
import { take } from "./memory";
import { promptBlocks } from "./prompt";
import { FLAGS, GROUPED, INLINE, lengthOf, LINE, WIDE } from "./run";
import { beginPath, extendOverlaps, tiered } from "./tiers";
import { beginWalk, advanceWalk, PATH, walkRun } from "./walk";
import { hasOwn, noSets, ownSets, SETS, strideBytes } from "./wide";
import { workerCount } from "./workers";

/** The longest overlap of any worker. */
export let longestOverlap: u32 = 0;

/** Bit set of the alive workers, if `asSet`. */
let alive: usize = 0;
/** Bit sets for one run: alive workers that drop out there, and those that stay because of a slot or group. */
let dropped: usize = 0;
let kept: usize = 0;
/** u32: the alive workers, unless `asSet`, and their number. */
let list: usize = 0;
let listed: u32 = 0;
let asSet: bool = false;
/** Blocks of the prompt that the alive workers hold. */
let depth: u32 = 0;

/** Holders with higher numbers are ignored: those of lower tiers, and predicted ones if there are no predictions. */
let holders: u32 = 0;
/** Bytes of the bit sets up to the last holder that counts. */
let setEnd: usize = 0;

export function initOverlap(): bool {
  list = take(<usize>stride << 3);
  alive = take(ownSets);
  dropped = take(ownSets);
  kept = take(ownSets);
  return kept != 0;
}

/** Finds the overlaps of the prompt. */
export function findOverlaps(): void {
  beginCounts();
  const usedBytes = <usize>((workerCount + 127) >> 7) << 4;
  holders = predicts ? stride << 1 : stride;
  setEnd = predicts ? strideBytes + usedBytes : usedBytes;
  longestOverlap = 0;
  listed = 0;
  asSet = false;
  depth = 0;
  beginPath(promptBlocks);
  if (promptBlocks) walk();
  if (asSet) leaveSet();
  else clear();
  if (predicts) takeLonger();
  if (tiered) extendOverlaps();
}

function walk(): void {
  beginWalk();
  // Whether no worker is alive any more.
  let isOver = false;
  while (walkRun) {
    const end = advanceWalk();
    for (let stretch = PATH; stretch < end && !isOver; stretch += 8) {
      isOver = !advance(load<u32>(stretch), load<u32>(stretch, 4));
    }
    // Deeper runs may still be held in other tiers.
    if (isOver && !tiered) return;
  }
}

/** Counts a stretch up to block `end` of the prompt for the alive workers; false if none stays alive. */
function advance(run: usize, end: u32): bool {
  let sets = <usize>load<u32>(run, WIDE);
  if (!sets && load<u8>(run, FLAGS) & GROUPED) sets = noSets;
  const needed = min(end - depth, lengthOf(run));
  let some: bool;
  if (sets) {
    if (depth == 0) some = enterSets(run, sets, needed);
    else if (asSet) some = advanceSet(run, sets, needed);
    else some = advanceList(run, needed, end);
  } else {
    if (asSet) leaveSet();
    else clear();
    asSet = false;
    some = advanceHolders(run, needed, end);
  }
  if (some) longestOverlap = end;
  depth = end;
  return some;
}

/** The number of leading blocks in the mask without a gap. */
// @ts-ignore: decorator
@inline
function prefix(mask: u32): u32 {
  return <u32>ctz(~mask);
}

/** Keeps alive those holders of the run that were alive and hold the blocks needed. */
function advanceHolders(run: usize, needed: u32, end: u32): bool {
  listed = 0;
  advanceSlot(run + INLINE, needed, end);
  advanceSlot(run + INLINE + HOLDER_BYTES, needed, end);
  for (let line = <usize>load<u32>(run, LINE); line; line = load<u32>(line, NEXT_LINE)) {
    for (let at = line; at < line + LINE_HOLDERS_END; at += HOLDER_BYTES) advanceSlot(at, needed, end);
  }
  return listed != 0;
}

/** The same for one holder's slot, which may be empty. */
// @ts-ignore: decorator
@inline
function advanceSlot(slot: usize, needed: u32, end: u32): void {
  const mask = load<u32>(slot);
  if (!mask) return;
  const w = load<u32>(slot, 8);
  if (w >= holders || overlapOf(w) != depth) return;
  const held = prefix(mask);
  if (held < needed) return setOverlapHeld(w, depth + held);
  setOverlap(w, end);
  store<u32>(list + (listed++ << 2), w);
}

/** The same from a list of workers and a run with bit sets. */
function advanceList(run: usize, needed: u32, end: u32): bool {
  const before = listed;
  listed = 0;
  for (let i: u32 = 0; i < before; i++) {
    const w = load<u32>(list + (i << 2));
    const held = prefix(heldMask(run, w));
    if (held < needed) {
      setOverlapHeld(w, depth + held);
    } else {
      setOverlap(w, end);
      store<u32>(list + (listed++ << 2), w);
    }
  }
  return listed != 0;
}

/** 128 bits of the workers in the sets, under shared or own hashes. */
// @ts-ignore: decorator
@inline
function anyIn(sets: usize, i: usize, own: bool): v128 {
  const shared = v128.load(sets + SETS + i);
  return own && i < strideBytes ? v128.or(shared, v128.load(sets + SETS + ownSets + i)) : shared;
}

/** At a first run with bit sets, makes the alive workers a set of those that hold the blocks needed. */
function enterSets(run: usize, sets: usize, needed: u32): bool {
  asSet = true;
  for (let i: usize = 0; i < setEnd; i += 16) v128.store(alive + i, i64x2.splat(-1));
  const keeps = hasSlots(run) && advanceSlots(run, needed);
  const own = hasOwn(sets);
  let any = i64x2.splat(0);
  for (let i: usize = 0; i < setEnd; i += 16) {
    const after = v128.and(v128.load(alive + i), stayIn(sets, i, own, keeps));
    v128.store(alive + i, after);
    any = v128.or(any, after);
  }
  return v128.any_true(any);
}

/** The same from a set of workers and a run with bit sets. */
function advanceSet(run: usize, sets: usize, needed: u32): bool {
  const keeps = hasSlots(run) && advanceSlots(run, needed);
  const own = hasOwn(sets);
  // Workers that drop out here hold none of this run.
  let any = i64x2.splat(0);
  for (let i: usize = 0; i < setEnd; i += 16) {
    const before = v128.load(alive + i);
    const after = v128.and(before, stayIn(sets, i, own, keeps));
    const gone = v128.xor(before, after);
    any = v128.or(any, after);
    if (!v128.any_true(gone)) continue;
    if (!isClear) return dropFirst(sets, own, keeps);
    v128.store(alive + i, after);
    settle(gone, i, depth);
  }
  return v128.any_true(any);
}

/** 128 bits of the workers that hold all blocks needed, alive or not. */
// @ts-ignore: decorator
@inline
function stayIn(sets: usize, i: usize, own: bool, keeps: bool): v128 {
  const stay = anyIn(sets, i, own);
  return keeps ? v128.or(stay, v128.load(kept + i)) : stay;
}

/** Handles the first workers that drop out: writes all counts. */
function dropFirst(sets: usize, own: bool, keeps: bool): bool {
  let any = i64x2.splat(0);
  for (let i: usize = 0; i < setEnd; i += 16) {
    const before = v128.load(alive + i);
    const after = v128.and(before, stayIn(sets, i, own, keeps));
    any = v128.or(any, after);
    v128.store(alive + i, after);
    v128.store(dropped + i, v128.xor(before, after));
  }
  writeCounts(dropped, depth);
  return v128.any_true(any);
}

/** Whether the run has holders outside its bit sets. */
// @ts-ignore: decorator
@inline
function hasSlots(run: usize): bool {
  return (load<u32>(run, INLINE) | load<u32>(run, INLINE + HOLDER_BYTES) | load<u32>(run, LINE)) != 0;
}

/** Drops alive workers that hold only part of the run, and records in `kept` those with all blocks needed, if any. */
function advanceSlots(run: usize, needed: u32): bool {
  let keeps = false;
  for (let slot = firstSlot(run); slot; slot = nextSlot(run, slot)) {
    const w = load<u32>(slot, 8);
    const held = prefix(load<u32>(slot));
    if (w == GROUP) {
      const sets = <usize>load<u32>(slot, 4);
      if (held < needed) {
        dropGroup(sets, depth + held);
      } else {
        if (!keeps) clearKept();
        keeps = true;
        const own = hasOwn(sets);
        for (let i: usize = 0; i < setEnd; i += 16) {
          v128.store(kept + i, v128.or(v128.load(kept + i), anyIn(sets, i, own)));
        }
      }
    } else if (w < holders && hasBit(alive, w)) {
      if (held < needed) {
        clear();
        setOverlapHeld(w, depth + held);
        clearBit(alive, w);
      } else {
        if (!keeps) clearKept();
        keeps = true;
        setBit(kept, w);
      }
    }
  }
  return keeps;
}

function clearKept(): void {
  for (let i: usize = 0; i < setEnd; i += 16) v128.store(kept + i, i64x2.splat(0));
}

/** Drops the alive workers in the sets, with this many blocks. */
function dropGroup(sets: usize, blocks: u32): void {
  const own = hasOwn(sets);
  for (let i: usize = 0; i < setEnd; i += 16) {
    const before = v128.load(alive + i);
    const gone = v128.and(before, anyIn(sets, i, own));
    if (!v128.any_true(gone)) continue;
    clear();
    longestOverlap = max(longestOverlap, blocks);
    v128.store(alive + i, v128.andnot(before, gone));
    settle(gone, i, blocks);
  }
}

/** Writes the depth as the count of every alive worker. */
function leaveSet(): void {
  if (isClear) settleSet(alive, setEnd, depth);
  else writeCounts(alive, depth);
}

// @ts-ignore: decorator
@inline
function setOverlapHeld(w: u32, blocks: u32): void {
  setOverlap(w, blocks);
  longestOverlap = max(longestOverlap, blocks);
}
