// How many blocks of the prompt each worker has: the result of a look-up, as it is written worker by worker or for many at
// once.
import { PREDICTED, heldByKind, stride } from "./kinds";
import { take } from "./memory";
import { ownSets, strideBytes } from "./wide";
import { workerCount } from "./workers";

/** u32 per worker: the result. Then how much of it is only predicted; not up to date unless `predicts`. */
export let overlaps: usize = 0;
/** Whether anything is predicted. */
export let predicts: bool = false;
/** Whether a count that is not written is 0. Put off until it matters, since a set may write all counts at once. */
export let isClear: bool = false;
/** Bytes of a bit set as far as there are workers, in steps of 32. */
let setBytes: usize = 0;

export function initCounts(): bool {
  // Workers and what they are predicted to hold; as many as bits in a set, since many are written at once.
  overlaps = take(ownSets << 5);
  return overlaps != 0;
}

export function beginCounts(): void {
  predicts = heldByKind(PREDICTED) > 0;
  setBytes = (predicts ? strideBytes : 0) + (<usize>((workerCount + 31) >> 5) << 2);
  isClear = false;
}

// @ts-ignore: decorator
@inline
export function overlapOf(w: u32): u32 {
  return load<u32>(overlaps + (w << 2));
}

// @ts-ignore: decorator
@inline
export function setOverlap(w: u32, blocks: u32): void {
  store<u32>(overlaps + (w << 2), blocks);
}

/** A worker's count becomes the longer of what it holds and what it is predicted to hold. */
export function takeLonger(): void {
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

export function clear(): void {
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

/** Writes a count for those of 128 workers, from that of byte `i` on, that have their bit set. */
// @ts-ignore: decorator
@inline
export function settle(bits: v128, i: usize, blocks: u32): void {
  settleWord(i64x2.extract_lane(bits, 0), overlaps + (i << 5), blocks);
  settleWord(i64x2.extract_lane(bits, 1), overlaps + (i << 5) + 256, blocks);
}

/** Writes a count for all in the set. */
export function settleSet(set: usize, end: usize, blocks: u32): void {
  for (let i: usize = 0; i < end; i += 8) settleWord(load<u64>(set + i), overlaps + (i << 5), blocks);
}

/** Writes all counts: `blocks` for the workers in the set, 0 for the others. */
export function writeCounts(set: usize, blocks: u32): void {
  isClear = true;
  const count = i32x4.splat(blocks);
  let at = overlaps;
  for (let i: usize = 0; i < setBytes; i += 4) {
    const bits = load<u32>(set + i);
    const end = at + 128;
    if (bits == 0 || bits == 0xffffffff) {
      // As it is often, where all hold what everybody is asked.
      const same = v128.and(count, i32x4.splat(bits));
      for (; at < end; at += 64) {
        v128.store(at, same);
        v128.store(at, same, 16);
        v128.store(at, same, 32);
        v128.store(at, same, 48);
      }
      continue;
    }
    const word = i32x4.splat(bits);
    for (let four = i32x4(1, 2, 4, 8); at < end; at += 16, four = i32x4.shl(four, 4)) {
      v128.store(at, v128.and(count, i32x4.eq(v128.and(word, four), four)));
    }
  }
}

/** So many are written one by one, since each costs less than looking at all 64. */
const FEW: u64 = 6;

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
