// The digest of a run: the local hashes of its blocks after the first, each times an odd number of its place, summed
// modulo 2^64. So a walk reads one number to see that all of a run goes on with the prompt, a block more or less is
// one addition, and a false match is as unlikely as two blocks with the same 64-bit hash.

const FACTORS: usize = memory.data(32 * 8, 16);

/** Fills the factors, by the generator SplitMix64 from the seed 0. */
export function initDigest(): void {
  let state: u64 = 0;
  for (let i: usize = 0; i < 256; i += 8) {
    state += 0x9e3779b97f4a7c15;
    let mixed = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    store<u64>(FACTORS + i, mixed ^ (mixed >> 31) | 1);
  }
}

// @ts-ignore: decorator
@inline
function term(locals: usize, at: usize): u64 {
  return load<u64>(locals + at) * load<u64>(FACTORS + at);
}

/** The part of a digest that the blocks from place `from`, 1 at least, up to `end` make; `locals` is where place 0's would be. */
export function digestOf(locals: usize, from: u32, end: u32): u64 {
  let at = <usize>from << 3;
  const stop = <usize>end << 3;
  let a: u64 = 0;
  let b: u64 = 0;
  for (; at + 32 <= stop; at += 32) {
    a += term(locals, at) + term(locals, at + 8);
    b += term(locals, at + 16) + term(locals, at + 24);
  }
  for (; at < stop; at += 8) a += term(locals, at);
  return a + b;
}
