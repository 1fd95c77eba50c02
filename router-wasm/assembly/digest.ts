// The digest of a run: its local hashes, each times a factor of its place, summed modulo 2^64. So a walk reads one
// number to see that all of a run goes on with the prompt, a block more or less is one addition, and a false match is
// as unlikely as two blocks with the same 64-bit hash.
//
// Place i has the factor 31^(3 − ⌊i / 8⌋) · LANES[i mod 8]: a whole run is four steps of eight hashes, of which each
// multiplies what it has by 31, which needs a shift and a subtraction.

/** Odd numbers without any order: the generator SplitMix64 from the seed 0. */
const LANES: usize = memory.data(8 * 8, 16);
const FACTORS: usize = memory.data(32 * 8, 16);

export function initDigest(): void {
  let state: u64 = 0;
  for (let i: usize = 0; i < 64; i += 8) {
    state += 0x9e3779b97f4a7c15;
    let mixed = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    store<u64>(LANES + i, mixed ^ (mixed >> 31) | 1);
  }
  let power: u64 = 1;
  for (let step: i32 = 3; step >= 0; step--, power *= 31) {
    for (let i: usize = 0; i < 64; i += 8) store<u64>(FACTORS + ((<usize>step) << 6) + i, power * load<u64>(LANES + i));
  }
}

/** The part of a digest that the blocks from place `from` to `end` make; `locals` is where place 0's hash would be. */
export function digestOf(locals: usize, from: u32, end: u32): u64 {
  if (from == 0 && end == 32) return digestOfWhole(locals);
  let sum: u64 = 0;
  for (let at = <usize>from << 3; at < <usize>end << 3; at += 8) {
    sum += load<u64>(locals + at) * load<u64>(FACTORS + at);
  }
  return sum;
}

// @ts-ignore: decorator
@inline
function times31(hashes: v128): v128 {
  return i64x2.sub(i64x2.shl(hashes, 5), hashes);
}

function digestOfWhole(locals: usize): u64 {
  let a = v128.load(locals);
  let b = v128.load(locals, 16);
  let c = v128.load(locals, 32);
  let d = v128.load(locals, 48);
  a = i64x2.add(times31(a), v128.load(locals, 64));
  b = i64x2.add(times31(b), v128.load(locals, 80));
  c = i64x2.add(times31(c), v128.load(locals, 96));
  d = i64x2.add(times31(d), v128.load(locals, 112));
  a = i64x2.add(times31(a), v128.load(locals, 128));
  b = i64x2.add(times31(b), v128.load(locals, 144));
  c = i64x2.add(times31(c), v128.load(locals, 160));
  d = i64x2.add(times31(d), v128.load(locals, 176));
  a = i64x2.add(times31(a), v128.load(locals, 192));
  b = i64x2.add(times31(b), v128.load(locals, 208));
  c = i64x2.add(times31(c), v128.load(locals, 224));
  d = i64x2.add(times31(d), v128.load(locals, 240));
  return (
    i64x2.extract_lane(a, 0) * load<u64>(LANES) +
    i64x2.extract_lane(a, 1) * load<u64>(LANES, 8) +
    i64x2.extract_lane(b, 0) * load<u64>(LANES, 16) +
    i64x2.extract_lane(b, 1) * load<u64>(LANES, 24) +
    i64x2.extract_lane(c, 0) * load<u64>(LANES, 32) +
    i64x2.extract_lane(c, 1) * load<u64>(LANES, 40) +
    i64x2.extract_lane(d, 0) * load<u64>(LANES, 48) +
    i64x2.extract_lane(d, 1) * load<u64>(LANES, 56)
  );
}
