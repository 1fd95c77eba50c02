// How many blocks at the start of the prompt each worker holds.
//
// The walk goes down the tree run by run, as far as the prompt's hashes match and any worker holds everything so
// far (is alive). Few alive workers are kept as a list, and their count grows as the walk goes; many are kept as a
// bit set, and a worker's count is written when it drops out.
import { clearBit, hasBit, setBit } from "./bit-set";
import { childInBucket, childOf, followerOf, touchBucket } from "./children";
import { digestOf } from "./digest";
import {
  firstSlot,
  HOLDER_BYTES,
  LINE_HOLDERS_END,
  NEXT_LINE,
  nextSlot,
  ownSets,
  strideBytes,
  WIDE_OWN,
  WIDE_SETS,
} from "./holders";
import { heldByKind, PREDICTED, stride } from "./kinds";
import { take } from "./memory";
import { promptBlocks, promptHashes } from "./prompt";
import { blockOf, DIGEST, INLINE, lengthOf, LINE, localsOf, WIDE } from "./run";
import { beginPath, extendOverlaps, notePath, tiered } from "./tiers";
import { workerCount } from "./workers";

/** u32 per worker: the result. Then how much of it is only predicted; not up to date unless `predicts`. */
export let overlaps: usize = 0;
/** Whether anything is predicted. */
export let predicts: bool = false;
/** The most of them. */
export let longestOverlap: u32 = 0;
let alive: usize = 0;
let next: usize = 0;
let list: usize = 0;

/** Workers alive in the list; unused while `asSet`. */
let listed: u32 = 0;
let asSet: bool = false;
let depth: u32 = 0;

export function initOverlap(): bool {
  // Workers and what they are predicted to hold. As many as bits in a set, since a set is settled eight at a time.
  overlaps = take(ownSets << 5);
  list = take(<usize>stride << 3);
  alive = take(ownSets);
  next = take(ownSets);
  return next != 0;
}

// @ts-ignore: decorator
@inline
function overlapOf(w: u32): u32 {
  return load<u32>(overlaps + (w << 2));
}

// @ts-ignore: decorator
@inline
function setOverlap(w: u32, blocks: u32): void {
  store<u32>(overlaps + (w << 2), blocks);
}

// @ts-ignore: decorator
@inline
function setOverlapHeld(w: u32, blocks: u32): void {
  setOverlap(w, blocks);
  longestOverlap = max(longestOverlap, blocks);
}

/** Holders with higher numbers are passed over: those of lower tiers, and predicted ones while there are none. */
let holders: u32 = 0;
/** Bytes of the bit sets up to the last such holder. */
let setEnd: usize = 0;

/** Writes `overlaps` for the prompt. */
export function findOverlaps(): void {
  predicts = heldByKind(PREDICTED) > 0;
  const usedBytes = <usize>((workerCount + 127) >> 7) << 4;
  holders = predicts ? stride << 1 : stride;
  setEnd = predicts ? strideBytes + usedBytes : usedBytes;
  clearOverlaps(overlaps);
  if (predicts) clearOverlaps(overlaps + (<usize>stride << 2));
  longestOverlap = 0;
  listed = 0;
  asSet = false;
  depth = 0;
  beginPath(promptBlocks);
  if (promptBlocks) walk();
  if (asSet) settleSet(alive);
  if (predicts) takeLonger();
  if (tiered) extendOverlaps();
}

/** A worker's count becomes the longer of what it holds and what it is predicted to hold. */
function takeLonger(): void {
  const predicted = <usize>stride << 2;
  const end = overlaps + (<usize>workerCount << 2);
  for (let at = overlaps; at < end; at += 16) {
    const held = v128.load(at);
    const longer = i32x4.max_u(held, v128.load(at + predicted));
    v128.store(at, longer);
    v128.store(at + predicted, i32x4.sub(longer, held));
  }
}

/** Blocks of the worker's overlap that it is only predicted to hold. */
export function predictedOverlap(w: u32): u32 {
  return predicts ? overlapOf(w + stride) : 0;
}

/** Keeps the compiler from leaving out reads that are made for the cache. */
let touched: u32 = 0;

/** Each run's successor is read before the run itself is looked at, so that one does not wait for the other. */
function walk(): void {
  // No worker holds all of the prompt so far.
  let alone = false;
  let run = childInBucket(0, load<u64>(promptHashes(1)));
  while (run) {
    const length = lengthOf(run);
    const left = promptBlocks - depth;
    const parent = blockOf(run, length - 1);
    let next: usize = 0;
    let local: u64 = 0;
    if (length < left) {
      local = load<u64>(promptHashes(depth + length + 1) + (depth + length << 3));
      next = followerOf(parent, local);
      if (!next) touched += touchBucket(parent, local);
    }
    const matched = matchedBlocks(run, length, left);
    if (tiered) notePath(run, depth + matched);
    // Deeper runs may still be held elsewhere than on devices.
    if (alone || !advance(run, matched)) {
      if (!tiered) return;
      alone = true;
    }
    depth += matched;
    if (matched == length) {
      if (length == left) return;
      run = next ? next : childInBucket(parent, local);
    } else {
      if (depth == promptBlocks) return;
      run = childOf(blockOf(run, matched - 1), load<u64>(promptHashes(depth + 1) + (depth << 3)));
    }
  }
}

/** As a loop, since a call of the engine for a few lines takes longer. */
function clearOverlaps(first: usize): void {
  const zero = i32x4.splat(0);
  const end = first + (<usize>workerCount << 2);
  for (let at = first; at < end; at += 16) v128.store(at, zero);
}

/** How many of the run's blocks go on with the prompt; the first is known to. */
// @ts-ignore: decorator
@inline
function matchedBlocks(run: usize, length: u32, left: u32): u32 {
  if (length == 1) return 1;
  const hashes = promptHashes(depth + min(length, left)) + (depth << 3);
  if (length <= left && load<u64>(run, DIGEST) == digestOf(hashes, 0, length)) return length;
  return commonBlocks(run, hashes, min(length, left));
}

/** The same, block by block, for a run of which not all goes on or the prompt ends before it. */
function commonBlocks(run: usize, hashes: usize, end: u32): u32 {
  const locals = localsOf(run);
  let i: u32 = 1;
  while (i < end && load<u64>(locals + (i << 3)) == load<u64>(hashes + (i << 3))) i++;
  return i;
}

/** Counts the run's first `matched` blocks for the workers alive; false when none stays alive. */
function advance(run: usize, matched: u32): bool {
  const wide = <usize>load<u32>(run, WIDE);
  if (depth == 0) return wide ? enterWide(run, wide, matched) : advanceHolders(run, matched);
  if (asSet) {
    if (wide) return advanceSet(run, wide, matched);
    settleSet(alive);
    asSet = false;
    return advanceHolders(run, matched);
  }
  return wide ? advanceList(run, wide, matched) : advanceHolders(run, matched);
}

/** Blocks from the run's first on that the mask has without a gap, at most `matched`. */
// @ts-ignore: decorator
@inline
function prefix(mask: u32, matched: u32): u32 {
  return min(<u32>ctz(~mask), matched);
}

/** The alive workers become those of the run's holders that were alive and hold all of it. */
function advanceHolders(run: usize, matched: u32): bool {
  listed = 0;
  advanceSlot(run + INLINE, matched);
  advanceSlot(run + INLINE + HOLDER_BYTES, matched);
  for (let line = <usize>load<u32>(run, LINE); line; line = load<u32>(line, NEXT_LINE)) {
    for (let at = line; at < line + LINE_HOLDERS_END; at += HOLDER_BYTES) advanceSlot(at, matched);
  }
  return listed != 0;
}

/** The same for one holder's slot, which may be empty. */
// @ts-ignore: decorator
@inline
function advanceSlot(slot: usize, matched: u32): void {
  const mask = load<u32>(slot);
  if (!mask) return;
  const w = load<u32>(slot, 8);
  if (w >= holders || overlapOf(w) != depth) return;
  const held = prefix(mask, matched);
  setOverlapHeld(w, depth + held);
  if (held == matched) store<u32>(list + (listed++ << 2), w);
}

/** The same from a list of workers and a run with bit sets. */
function advanceList(run: usize, wide: usize, matched: u32): bool {
  const before = listed;
  listed = 0;
  for (let i: u32 = 0; i < before; i++) {
    const w = load<u32>(list + (i << 2));
    if (!inSets(wide, w)) continue;
    setOverlap(w, depth + matched);
    store<u32>(list + (listed++ << 2), w);
  }
  if (listed) longestOverlap = depth + matched;
  // Those outside the sets; a worker counted above no longer has the old depth.
  for (let slot = firstSlot(run); slot; slot = nextSlot(run, slot)) advanceSlot(slot, matched);
  return listed != 0;
}

// @ts-ignore: decorator
@inline
function inSets(wide: usize, w: u32): bool {
  return (
    hasBit(wide + WIDE_SETS, w) ||
    (hasOwnHolders(wide) && w < stride && hasBit(wide + WIDE_SETS + ownSets, w))
  );
}

/** 128 bits of the holders of the whole run, under whatever hashes. */
// @ts-ignore: decorator
@inline
function wholeHolders(wide: usize, i: usize, hasOwn: bool): v128 {
  const shared = v128.load(wide + WIDE_SETS + i);
  return hasOwn && i < strideBytes ? v128.or(shared, v128.load(wide + WIDE_SETS + ownSets + i)) : shared;
}

/** Whether some hold the run under hashes of their own. Seldom, and then that set need not be read. */
// @ts-ignore: decorator
@inline
function hasOwnHolders(wide: usize): bool {
  return load<u32>(wide, WIDE_OWN) != 0;
}

/** The first run has bit sets: the alive workers become a set. */
function enterWide(run: usize, wide: usize, matched: u32): bool {
  asSet = true;
  // Never without a worker in them, which holds the whole run.
  longestOverlap = matched;
  const hasOwn = hasOwnHolders(wide);
  for (let i: usize = 0; i < setEnd; i += 16) v128.store(alive + i, wholeHolders(wide, i, hasOwn));
  for (let slot = firstSlot(run); slot; slot = nextSlot(run, slot)) {
    const w = load<u32>(slot, 8);
    if (w >= holders) continue;
    const held = prefix(load<u32>(slot), matched);
    if (held == matched) setBit(alive, w);
    else setOverlap(w, held);
  }
  return true;
}

function advanceSet(run: usize, wide: usize, matched: u32): bool {
  const hasOwn = hasOwnHolders(wide);
  for (let i: usize = 0; i < setEnd; i += 16) {
    v128.store(next + i, v128.and(v128.load(alive + i), wholeHolders(wide, i, hasOwn)));
  }
  for (let slot = firstSlot(run); slot; slot = nextSlot(run, slot)) {
    const w = load<u32>(slot, 8);
    if (w >= holders || !hasBit(alive, w)) continue;
    const held = prefix(load<u32>(slot), matched);
    if (held == matched) {
      setBit(next, w);
    } else {
      setOverlapHeld(w, depth + held);
      clearBit(alive, w);
    }
  }
  // Who drops out without a holder of its own has nothing of this run.
  let any = i64x2.splat(0);
  for (let i: usize = 0; i < setEnd; i += 16) {
    const before = v128.load(alive + i);
    const after = v128.load(next + i);
    const dropped = v128.andnot(before, after);
    if (v128.any_true(dropped)) {
      settleWord(i64x2.extract_lane(dropped, 0), overlaps + (i << 5));
      settleWord(i64x2.extract_lane(dropped, 1), overlaps + (i << 5) + 256);
    }
    any = v128.or(any, after);
  }
  const other = alive;
  alive = next;
  next = other;
  if (!v128.any_true(any)) return false;
  longestOverlap = depth + matched;
  return true;
}

/** Writes the depth for every worker in the set. */
function settleSet(set: usize): void {
  for (let i: usize = 0; i < setEnd; i += 8) settleWord(load<u64>(set + i), overlaps + (i << 5));
}

/** The same for 64 workers, whose counts are at `counts`. */
function settleWord(bits: u64, counts: usize): void {
  const count = i32x4.splat(depth);
  for (; bits; bits >>= 8, counts += 32) {
    const eight = <i32>bits & 255;
    if (eight == 255) {
      v128.store(counts, count);
      v128.store(counts, count, 16);
    } else if (eight) {
      settleFour(counts, count, v128.and(i32x4.splat(eight), i32x4(1, 2, 4, 8)));
      settleFour(counts + 16, count, v128.and(i32x4.splat(eight), i32x4(16, 32, 64, 128)));
    }
  }
}

// @ts-ignore: decorator
@inline
function settleFour(counts: usize, count: v128, bits: v128): void {
  const keeps = i32x4.eq(bits, i32x4.splat(0));
  v128.store(counts, v128.bitselect(v128.load(counts), count, keeps));
}
