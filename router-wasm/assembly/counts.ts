// The result of a look-up: how many blocks of the prompt each worker has. Written worker by worker or for many at once.
import { PREDICTED, heldByKind, stride } from "./kinds";
import { take } from "./memory";
import { ownSets, strideBytes } from "./wide";
import { workerCount } from "./workers";

/** u32 per worker: the result, followed by the predicted part, which is only valid if `predicts`. */
export let overlaps: usize = 0;
/** Whether there are any predictions. */
export let predicts: bool = false;
/** Whether unwritten counts are 0. Clearing is deferred, because a set may write all counts at once. */
export let isClear: bool = false;
/** Bytes of a bit set up to the last worker, in steps of 32 workers. */
let setBytes: usize = 0;

export function initCounts(): bool {
  // One count for each bit of a set, held and predicted, because many are written at once.
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

/** Sets each worker's count to the longer of its held and predicted overlaps. */
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

/** The part of the worker's overlap that is only predicted. */
export function predictedOverlap(w: u32): u32 {
  return predicts ? overlapOf(w + stride) : 0;
}

export function clear(): void {
  if (isClear) return;
  isClear = true;
  clearOverlaps(overlaps);
  if (predicts) clearOverlaps(overlaps + (<usize>stride << 2));
}

/** A loop, because `memory.fill` is slower for so few bytes. */
function clearOverlaps(first: usize): void {
  const zero = i32x4.splat(0);
  const end = first + (<usize>workerCount << 2);
  for (let at = first; at < end; at += 16) v128.store(at, zero);
}

/** Writes a count for those of 128 workers, starting at byte `i`, whose bit is set. */
// @ts-ignore: decorator
@inline
export function settle(bits: v128, i: usize, blocks: u32): void {
  settleWord(i64x2.extract_lane(bits, 0), overlaps + (i << 5), blocks);
  settleWord(i64x2.extract_lane(bits, 1), overlaps + (i << 5) + 256, blocks);
}

/** Writes a count for all workers in the set. */
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
      // A common case: all or none of these workers hold the prefix.
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

/** Up to this many workers are written one by one, which is faster than a pass over all 64. */
const FEW: u64 = 6;

/** Writes a count for those of 64 workers whose bit is set. Their counts must not be higher already. */
function settleWord(bits: u64, counts: usize, blocks: u32): void {
  if (popcnt(bits) <= FEW) {
    for (; bits; bits &= bits - 1) store<u32>(counts + (<usize>ctz(bits) << 2), blocks);
    return;
  }
  const count = i32x4.splat(blocks);
  let half = i32x4.splat(<u32>bits);
  let four = i32x4(1, 2, 4, 8);
  // Branch-free, because whether a worker drops out is unpredictable.
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
