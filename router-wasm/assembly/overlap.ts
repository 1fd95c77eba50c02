// How many blocks at the start of the prompt each worker holds.
//
// The walk goes down the tree run by run, as far as the prompt's hashes match and any worker holds everything so
// far (is alive). Few alive workers are kept as a list, and their count grows as the walk goes; many are kept as a
// bit set, and a worker's count is written when it drops out.
import { clearBit, hasBit, setBit } from "./bit-set";
import { childInBucket, childOf, followerOf, follows, touchBucket } from "./children";
import { digestOfFirst } from "./digest";
import { firstSlot, GROUP, heldMask, HOLDER_BYTES, LINE_HOLDERS_END, NEXT_LINE, nextSlot } from "./holders";
import { heldByKind, PREDICTED, stride } from "./kinds";
import { take } from "./memory";
import { promptBlocks, promptHashes } from "./prompt";
import { blockOf, DIGEST, FLAGS, GROUPED, INLINE, lengthOf, LINE, localsOf, WIDE } from "./run";
import { beginPath, extendOverlaps, notePath, tiered } from "./tiers";
import { hasOwn, noSets, ownSets, SETS, strideBytes } from "./wide";
import { workerCount } from "./workers";

/** u32 per worker: the result. Then how much of it is only predicted; not up to date unless `predicts`. */
export let overlaps: usize = 0;
/** Whether anything is predicted. */
export let predicts: bool = false;
/** The most of them. */
export let longestOverlap: u32 = 0;
let alive: usize = 0;
let dropped: usize = 0;
let kept: usize = 0;
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
  dropped = take(ownSets);
  kept = take(ownSets);
  return kept != 0;
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
/** The same as far as there are workers, in steps of 32. */
let countEnd: usize = 0;

/** Writes `overlaps` for the prompt. */
export function findOverlaps(): void {
  predicts = heldByKind(PREDICTED) > 0;
  const usedBytes = <usize>((workerCount + 127) >> 7) << 4;
  holders = predicts ? stride << 1 : stride;
  setEnd = predicts ? strideBytes + usedBytes : usedBytes;
  countEnd = (predicts ? strideBytes : 0) + (<usize>((workerCount + 31) >> 5) << 2);
  isClear = false;
  longestOverlap = 0;
  listed = 0;
  asSet = false;
  depth = 0;
  beginPath(promptBlocks);
  if (promptBlocks) walk();
  if (asSet) settleSet();
  else clear();
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

/** Stretches that are walked before their holders are looked at, which goes faster than run by run. */
const STRETCHES: u32 = 32;
/**
 * Where the walk went since then. A stretch is a run, or several whole ones that the same workers hold: u32 its first
 * run, u32 the prompt's block after it.
 */
const PATH: usize = memory.data(32 * 8, 16);

/** Where the walk goes on: the next run, 0 at its end, and the prompt's block that the run begins with. */
let walkRun: usize = 0;
let walked: u32 = 0;

function walk(): void {
  walkRun = childInBucket(0, load<u64>(promptHashes(1)));
  walked = 0;
  // No worker holds all of the prompt so far.
  let alone = false;
  while (walkRun) {
    const end = goOn();
    for (let stretch = PATH; stretch < end && !alone; stretch += 8) {
      alone = !advance(load<u32>(stretch), load<u32>(stretch, 4));
    }
    // Deeper runs may still be held elsewhere than on devices.
    if (alone && !tiered) return;
  }
}

/**
 * Walks some stretches further. Returns the end of `PATH`.
 *
 * Each run's successor is read before the run itself is looked at, so that one does not wait for the other.
 */
function goOn(): usize {
  let run = walkRun;
  let at = walked;
  let stretch = PATH - 8;
  // The run before, if the prompt goes through all of it.
  let before: usize = 0;
  const blocks = promptBlocks;
  while (run) {
    if (!before || !sameHolders(before, run)) {
      if (stretch == PATH + ((STRETCHES - 1) << 3)) break;
      stretch += 8;
      store<u32>(stretch, <u32>run);
    }
    before = run;
    const length = lengthOf(run);
    const end = at + length;
    if (end < blocks) {
      const hashes = promptHashes(end + 1);
      const parent = blockOf(run, length - 1);
      const local = load<u64>(hashes + (end << 3));
      let next = followerOf(run);
      // A branch with a store in it, so that no choice is made of it that would have to wait for what is compared.
      if (!follows(next, parent, local)) {
        touched = touchBucket(parent, local);
        next = 0;
      }
      if (matches(run, hashes + (at << 3), length)) {
        if (tiered) notePath(run, end);
        store<u32>(stretch, end, 4);
        at = end;
        run = next;
        if (!run) run = childInBucket(parent, local);
        continue;
      }
    }
    const hashes = promptHashes(min(end, blocks)) + (at << 3);
    const matched = end == blocks && matches(run, hashes, length) ? length : commonBlocks(run, hashes, min(length, blocks - at));
    if (matched < length && load<u32>(stretch) != run) {
      // Only whole runs are taken together.
      if (stretch == PATH + ((STRETCHES - 1) << 3)) break;
      stretch += 8;
      store<u32>(stretch, <u32>run);
    }
    at += matched;
    if (tiered) notePath(run, at);
    store<u32>(stretch, at, 4);
    run = at == blocks ? 0 : childOf(blockOf(run, matched - 1), load<u64>(promptHashes(at + 1) + (at << 3)));
    before = 0;
  }
  walkRun = run;
  walked = at;
  return stretch + 8;
}

/** Whether runs that are held whole have the same holders. */
// @ts-ignore: decorator
@inline
function sameHolders(before: usize, run: usize): bool {
  // From the first line of further holders on, which no two runs share, to the end of the head.
  const one = v128.xor(v128.load(before, LINE), v128.load(run, LINE));
  const other = v128.xor(v128.load(before, LINE + 16), v128.load(run, LINE + 16));
  return (
    load<u32>(before, WIDE) == load<u32>(run, WIDE) &&
    lengthOf(before) == lengthOf(run) &&
    !v128.any_true(v128.or(one, other))
  );
}

/** Whether all of the run's blocks go on with the prompt; the first is known to. */
// @ts-ignore: decorator
@inline
function matches(run: usize, hashes: usize, length: u32): bool {
  return length == 1 || load<u64>(run, DIGEST) == digestOfFirst(hashes, length);
}

/** How many of the run's blocks go on with the prompt, block by block. */
function commonBlocks(run: usize, hashes: usize, end: u32): u32 {
  const locals = localsOf(run);
  let i: u32 = 1;
  while (i < end && load<u64>(locals + (i << 3)) == load<u64>(hashes + (i << 3))) i++;
  return i;
}

/** Whether a count that is not written is 0. Put off until it matters, since a set may write all counts at once. */
let isClear: bool = false;

function clear(): void {
  if (isClear) return;
  isClear = true;
  clearOverlaps(overlaps);
  if (predicts) clearOverlaps(overlaps + (<usize>stride << 2));
}

/** As a loop, since a call of the engine for a few lines takes longer. */
function clearOverlaps(first: usize): void {
  const zero = i32x4.splat(0);
  const end = first + (<usize>workerCount << 2);
  for (let at = first; at < end; at += 16) v128.store(at, zero);
}

/** Counts a stretch up to block `end` of the prompt for the workers alive; false when none stays alive. */
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
    if (asSet) settleSet();
    else clear();
    asSet = false;
    some = advanceHolders(run, needed, end);
  }
  if (some) longestOverlap = end;
  depth = end;
  return some;
}

/** Blocks from the run's first on that the mask has without a gap. */
// @ts-ignore: decorator
@inline
function prefix(mask: u32): u32 {
  return <u32>ctz(~mask);
}

/** The alive workers become those of the run's holders that were alive and hold the blocks needed of it. */
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

/** 128 bits of the workers in the sets, under whatever hashes. */
// @ts-ignore: decorator
@inline
function anyIn(sets: usize, i: usize, own: bool): v128 {
  const shared = v128.load(sets + SETS + i);
  return own && i < strideBytes ? v128.or(shared, v128.load(sets + SETS + ownSets + i)) : shared;
}

/** The first run has bit sets: the alive workers become a set, of those that hold what is needed of it. */
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

/** From a set of workers and a run with bit sets. */
function advanceSet(run: usize, sets: usize, needed: u32): bool {
  const keeps = hasSlots(run) && advanceSlots(run, needed);
  const own = hasOwn(sets);
  // Who drops out here has nothing of this run.
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

/** 128 bits of the workers that hold all that is needed, whether they are alive or not. */
// @ts-ignore: decorator
@inline
function stayIn(sets: usize, i: usize, own: bool, keeps: bool): v128 {
  const stay = anyIn(sets, i, own);
  return keeps ? v128.or(stay, v128.load(kept + i)) : stay;
}

/** The first workers drop out: writes all counts. */
function dropFirst(sets: usize, own: bool, keeps: bool): bool {
  let any = i64x2.splat(0);
  for (let i: usize = 0; i < setEnd; i += 16) {
    const before = v128.load(alive + i);
    const after = v128.and(before, stayIn(sets, i, own, keeps));
    any = v128.or(any, after);
    v128.store(alive + i, after);
    v128.store(dropped + i, v128.xor(before, after));
  }
  writeCounts(dropped);
  return v128.any_true(any);
}

// @ts-ignore: decorator
@inline
function hasSlots(run: usize): bool {
  return (load<u32>(run, INLINE) | load<u32>(run, INLINE + HOLDER_BYTES) | load<u32>(run, LINE)) != 0;
}

/** Those alive that hold a part of the run drop out; those with all that is needed are noted in `kept`, if any. */
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

/** Those alive in the sets drop out with so many blocks. */
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

/** Writes the depth for every worker in the set. */
function settleSet(): void {
  if (!isClear) return writeCounts(alive);
  for (let i: usize = 0; i < setEnd; i += 8) settleWord(load<u64>(alive + i), overlaps + (i << 5), depth);
}

/** Writes a count for those of 128 workers, from that of byte `i` on, that have their bit set. */
// @ts-ignore: decorator
@inline
function settle(bits: v128, i: usize, blocks: u32): void {
  settleWord(i64x2.extract_lane(bits, 0), overlaps + (i << 5), blocks);
  settleWord(i64x2.extract_lane(bits, 1), overlaps + (i << 5) + 256, blocks);
}

/** Writes all counts: the depth for the workers in the set, 0 for the others. */
function writeCounts(set: usize): void {
  isClear = true;
  const count = i32x4.splat(depth);
  let at = overlaps;
  for (let i: usize = 0; i < countEnd; i += 4) {
    const bits = v128.load32_splat(set + i);
    for (let four = i32x4(1, 2, 4, 8), end = at + 128; at < end; at += 16, four = i32x4.shl(four, 4)) {
      v128.store(at, v128.and(count, i32x4.eq(v128.and(bits, four), four)));
    }
  }
}

/** Writes a count for those of 64 workers that have their bit set. None of theirs is higher. */
function settleWord(bits: u64, counts: usize, blocks: u32): void {
  if (popcnt(bits) <= FEW) {
    for (; bits; bits &= bits - 1) store<u32>(counts + (<usize>ctz(bits) << 2), blocks);
    return;
  }
  const count = i32x4.splat(blocks);
  let half = i32x4.splat(<u32>bits);
  let four = i32x4(1, 2, 4, 8);
  // Without a branch: whether a worker drops out is not to be foreseen.
  for (let at = counts, end = counts + 256; at < end; at += 16) {
    const written = v128.and(count, i32x4.eq(v128.and(half, four), four));
    v128.store(at, i32x4.max_u(v128.load(at), written));
    four = i32x4.shl(four, 4);
    if (at == counts + 112) {
      half = i32x4.splat(<u32>(bits >> 32));
      four = i32x4(1, 2, 4, 8);
    }
  }
}

/** So many are written one by one, since each costs less than looking at all 64. */
const FEW: u64 = 6;
