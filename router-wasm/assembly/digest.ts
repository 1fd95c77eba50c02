// The digest of a run: the sum of its local hashes modulo 2^64, each multiplied by an odd factor for its place. A
// walk thus compares a whole run with the prompt by one number, and adding or removing a block is one addition. A
// false match is as unlikely as two blocks with the same 64-bit hash.
//
// A vector has two hashes. `sums` is the sum of the vectors so far, and `weighted` the sum of all those sums, as in
// Fletcher's checksum: two additions per vector, and no multiplication until the end. Place 2v + lane thus has the
// factor BASES[lane] + (16 − v) · STEPS[lane], which is odd, because bases are odd and steps are even.

/** Digits of π. */
const BASE_0: u64 = 0x243f6a8885a308d3;
const BASE_1: u64 = 0x13198a2e03707345;
const STEP_0: u64 = 0xa4093822299f31d0;
const STEP_1: u64 = 0x082efa98ec4e6c8a;

/** By place, plus two for the sums of a full run. */
const FACTORS: usize = memory.data(34 * 8, 16);

export function initDigest(): void {
  for (let v: usize = 0; v <= 16; v++) {
    store<u64>(FACTORS + (v << 4), BASE_0 + (16 - v) * STEP_0);
    store<u64>(FACTORS + (v << 4), BASE_1 + (16 - v) * STEP_1, 8);
  }
}

/** The contribution of places `from` to `end` to a digest; `locals` is the address of place 0's hash. */
export function digestOf(locals: usize, from: u32, end: u32): u64 {
  let sum: u64 = 0;
  for (let at = <usize>from << 3; at < <usize>end << 3; at += 8) {
    sum += load<u64>(locals + at) * load<u64>(FACTORS + at);
  }
  return sum;
}

/** The digest of the first `length` hashes. */
// @ts-ignore: decorator
@inline
export function digestOfFirst(locals: usize, length: u32): u64 {
  return length == 32 ? digestOfWhole(locals) : digestOfPart(locals, length);
}

function digestOfPart(locals: usize, length: u32): u64 {
  let sums = i64x2.splat(0);
  let weighted = sums;
  const end = (<usize>length & ~1) << 3;
  for (let at: usize = 0; at < end; at += 16) {
    sums = i64x2.add(sums, v128.load(locals + at));
    weighted = i64x2.add(weighted, sums);
  }
  // As if followed by hashes of 0.
  let digest =
    i64x2.extract_lane(sums, 0) * load<u64>(FACTORS + end) +
    i64x2.extract_lane(sums, 1) * load<u64>(FACTORS + end, 8) +
    i64x2.extract_lane(weighted, 0) * STEP_0 +
    i64x2.extract_lane(weighted, 1) * STEP_1;
  if (length & 1) digest += load<u64>(locals + end) * load<u64>(FACTORS + end);
  return digest;
}

/** Digest of a full run, whose halves are summed independently of each other. */
// @ts-ignore: decorator
@inline
function digestOfWhole(locals: usize): u64 {
  let sums = v128.load(locals);
  let laterSums = v128.load(locals, 128);
  let weighted = sums;
  let laterWeighted = laterSums;
  sums = i64x2.add(sums, v128.load(locals, 16));
  weighted = i64x2.add(weighted, sums);
  laterSums = i64x2.add(laterSums, v128.load(locals, 144));
  laterWeighted = i64x2.add(laterWeighted, laterSums);
  sums = i64x2.add(sums, v128.load(locals, 32));
  weighted = i64x2.add(weighted, sums);
  laterSums = i64x2.add(laterSums, v128.load(locals, 160));
  laterWeighted = i64x2.add(laterWeighted, laterSums);
  sums = i64x2.add(sums, v128.load(locals, 48));
  weighted = i64x2.add(weighted, sums);
  laterSums = i64x2.add(laterSums, v128.load(locals, 176));
  laterWeighted = i64x2.add(laterWeighted, laterSums);
  sums = i64x2.add(sums, v128.load(locals, 64));
  weighted = i64x2.add(weighted, sums);
  laterSums = i64x2.add(laterSums, v128.load(locals, 192));
  laterWeighted = i64x2.add(laterWeighted, laterSums);
  sums = i64x2.add(sums, v128.load(locals, 80));
  weighted = i64x2.add(weighted, sums);
  laterSums = i64x2.add(laterSums, v128.load(locals, 208));
  laterWeighted = i64x2.add(laterWeighted, laterSums);
  sums = i64x2.add(sums, v128.load(locals, 96));
  weighted = i64x2.add(weighted, sums);
  laterSums = i64x2.add(laterSums, v128.load(locals, 224));
  laterWeighted = i64x2.add(laterWeighted, laterSums);
  sums = i64x2.add(sums, v128.load(locals, 112));
  weighted = i64x2.add(weighted, sums);
  laterSums = i64x2.add(laterSums, v128.load(locals, 240));
  laterWeighted = i64x2.add(laterWeighted, laterSums);
  // Each vector of the first half is followed by eight more.
  weighted = i64x2.add(i64x2.add(weighted, laterWeighted), i64x2.shl(sums, 3));
  sums = i64x2.add(sums, laterSums);
  return (
    i64x2.extract_lane(sums, 0) * BASE_0 +
    i64x2.extract_lane(sums, 1) * BASE_1 +
    i64x2.extract_lane(weighted, 0) * STEP_0 +
    i64x2.extract_lane(weighted, 1) * STEP_1
  );
}
