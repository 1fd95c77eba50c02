// XXH3-64 with a seed, for inputs of any length, according to the public xxHash specification (version 0.2).
// Inputs of 17 to 128 bytes (blocks of 5 to 32 tokens) and of more than 240 bytes are hashed with SIMD.

const PRIME32_1: u64 = 0x9e3779b1;
const PRIME32_2: u64 = 0x85ebca77;
const PRIME32_3: u64 = 0xc2b2ae3d;
const PRIME64_1: u64 = 0x9e3779b185ebca87;
const PRIME64_2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME64_3: u64 = 0x165667b19e3779f9;
const PRIME64_4: u64 = 0x85ebca77c2b2ae63;
const PRIME64_5: u64 = 0x27d4eb2f165667c5;
const PRIME_MX1: u64 = 0x165667919e3779f9;
const PRIME_MX2: u64 = 0x9fb21c651e98df25;

const SECRET_BYTES: usize = 192;
const STRIPE: usize = 64;
const STRIPES_PER_BLOCK: usize = (SECRET_BYTES - STRIPE) / 8;

/** The specification's default secret. */
const SECRET: usize = memory.data<u8>([
  0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
  0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
  0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
  0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
  0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
  0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
  0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
  0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
  0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
  0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
  0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
  0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
]);

/** The secret mixed with `mixedSeed`. */
const MIXED_SECRET: usize = memory.data(192, 16);
const ACCUMULATORS: usize = memory.data(64, 16);
let mixedSeed: u64 = 0;
let isMixed: bool = false;

// @ts-ignore: decorator
@inline
function rotl(x: u64, bits: u64): u64 {
  return (x << bits) | (x >> (64 - bits));
}

/** The high and low halves of the 128-bit product, XORed. */
// @ts-ignore: decorator
@inline
function foldedProduct(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const low = aLow * bLow;
  const mid1 = aHigh * bLow + (low >> 32);
  const mid2 = aLow * bHigh + (mid1 & 0xffffffff);
  return (aHigh * bHigh + (mid1 >> 32) + (mid2 >> 32)) ^ ((mid2 << 32) | (low & 0xffffffff));
}

// @ts-ignore: decorator
@inline
function avalanche(hash: u64): u64 {
  hash = (hash ^ (hash >> 37)) * PRIME_MX1;
  return hash ^ (hash >> 32);
}

function avalancheXxh64(hash: u64): u64 {
  hash = (hash ^ (hash >> 33)) * PRIME64_2;
  hash = (hash ^ (hash >> 29)) * PRIME64_3;
  return hash ^ (hash >> 32);
}

/** XXH3-64 of `length` bytes at `input`. */
export function xxh3(input: usize, length: usize, seed: u64): u64 {
  if (length <= 16) return upTo16(input, length, seed);
  if (length <= 128) return upTo128(input, length, seed);
  if (length <= 240) return upTo240(input, length, seed);
  return over240(input, length, seed);
}

function upTo16(input: usize, length: usize, seed: u64): u64 {
  if (length > 8) {
    const flip1 = (load<u64>(SECRET, 24) ^ load<u64>(SECRET, 32)) + seed;
    const flip2 = (load<u64>(SECRET, 40) ^ load<u64>(SECRET, 48)) - seed;
    const low = load<u64>(input) ^ flip1;
    const high = load<u64>(input + length - 8) ^ flip2;
    return avalanche(<u64>length + bswap(low) + high + foldedProduct(low, high));
  }
  if (length >= 4) {
    const mixedSeed = seed ^ (<u64>bswap(<u32>seed) << 32);
    const flip = (load<u64>(SECRET, 8) ^ load<u64>(SECRET, 16)) - mixedSeed;
    const both = <u64>load<u32>(input + length - 4) + (<u64>load<u32>(input) << 32);
    let hash = both ^ flip;
    hash ^= rotl(hash, 49) ^ rotl(hash, 24);
    hash *= PRIME_MX2;
    hash ^= (hash >> 35) + <u64>length;
    hash *= PRIME_MX2;
    return hash ^ (hash >> 28);
  }
  if (length > 0) {
    const first = <u32>load<u8>(input);
    const middle = <u32>load<u8>(input + (length >> 1));
    const last = <u32>load<u8>(input + length - 1);
    const combined = (first << 16) | (middle << 24) | last | (<u32>length << 8);
    const flip = <u64>(load<u32>(SECRET) ^ load<u32>(SECRET, 4)) + seed;
    return avalancheXxh64(<u64>combined ^ flip);
  }
  return avalancheXxh64(seed ^ load<u64>(SECRET, 56) ^ load<u64>(SECRET, 64));
}

// @ts-ignore: decorator
@inline
function mix16(input: usize, secret: usize, seed: u64): u64 {
  return foldedProduct(
    load<u64>(input) ^ (load<u64>(secret) + seed),
    load<u64>(input, 8) ^ (load<u64>(secret, 8) - seed),
  );
}

function upTo128(input: usize, length: usize, seed: u64): u64 {
  mixSecret(seed);
  let sum = i64x2.splat(0);
  const end = input + length - 16;
  for (let i: usize = 0; i < length; i += 32) {
    const front = v128.xor(v128.load(input + (i >> 1)), v128.load(MIXED_SECRET + i));
    const back = v128.xor(v128.load(end - (i >> 1)), v128.load(MIXED_SECRET + i, 16));
    sum = i64x2.add(sum, foldedProducts(front, back));
  }
  const lanes = i64x2.extract_lane(sum, 0) + i64x2.extract_lane(sum, 1);
  return avalanche(<u64>length * PRIME64_1 + lanes);
}

/** XXH3-64 of `count` consecutive inputs of 64 bytes, into `hashes`: blocks of 16 tokens, the usual size. */
export function xxh3Of64(inputs: usize, count: u32, seed: u64, hashes: usize): void {
  mixSecret(seed);
  const key0 = v128.load(MIXED_SECRET);
  const key1 = v128.load(MIXED_SECRET, 16);
  const key2 = v128.load(MIXED_SECRET, 32);
  const key3 = v128.load(MIXED_SECRET, 48);
  for (let end = inputs + (<usize>count << 6); inputs < end; inputs += 64, hashes += 8) {
    const outer = foldedProducts(v128.xor(v128.load(inputs), key0), v128.xor(v128.load(inputs, 48), key1));
    const inner = foldedProducts(v128.xor(v128.load(inputs, 16), key2), v128.xor(v128.load(inputs, 32), key3));
    const sum = i64x2.add(outer, inner);
    store<u64>(hashes, avalanche(64 * PRIME64_1 + i64x2.extract_lane(sum, 0) + i64x2.extract_lane(sum, 1)));
  }
}

/** `foldedProduct` of the two halves of `a`, and of the two halves of `b`. */
// @ts-ignore: decorator
@inline
function foldedProducts(a: v128, b: v128): v128 {
  const low32 = i64x2.splat(0xffffffff);
  // 32-bit parts of the first factors (low a, low b, high a, high b), of the second ones, and these with halves
  // swapped.
  const first = i32x4.shuffle(a, b, 0, 4, 1, 5);
  const second = i32x4.shuffle(a, b, 2, 6, 3, 7);
  const swapped = i32x4.shuffle(second, second, 2, 3, 0, 1);
  const low = i64x2.extmul_low_i32x4_u(first, second);
  const mid1 = i64x2.add(i64x2.extmul_high_i32x4_u(first, swapped), i64x2.shr_u(low, 32));
  const mid2 = i64x2.add(i64x2.extmul_low_i32x4_u(first, swapped), v128.and(mid1, low32));
  const high = i64x2.add(
    i64x2.extmul_high_i32x4_u(first, second),
    i64x2.add(i64x2.shr_u(mid1, 32), i64x2.shr_u(mid2, 32)),
  );
  return v128.xor(high, v128.or(i64x2.shl(mid2, 32), v128.and(low, low32)));
}

function upTo240(input: usize, length: usize, seed: u64): u64 {
  let hash = <u64>length * PRIME64_1;
  for (let i: usize = 0; i < 8; i++) hash += mix16(input + (i << 4), SECRET + (i << 4), seed);
  hash = avalanche(hash);
  const rounds = length >> 4;
  for (let i: usize = 8; i < rounds; i++) hash += mix16(input + (i << 4), SECRET + ((i - 8) << 4) + 3, seed);
  hash += mix16(input + length - 16, SECRET + 136 - 17, seed);
  return avalanche(hash);
}

// @ts-ignore: decorator
@inline
function mixSecret(seed: u64): void {
  if (!isMixed || seed != mixedSeed) deriveSecret(seed);
}

function deriveSecret(seed: u64): void {
  for (let i: usize = 0; i < SECRET_BYTES; i += 16) {
    store<u64>(MIXED_SECRET + i, load<u64>(SECRET + i) + seed);
    store<u64>(MIXED_SECRET + i, load<u64>(SECRET + i, 8) - seed, 8);
  }
  mixedSeed = seed;
  isMixed = true;
}

/** Adds 16 bytes to a pair of accumulators. */
// @ts-ignore: decorator
@inline
function accumulate2(acc: v128, input: usize, secret: usize): v128 {
  const data = v128.load(input);
  const keyed = v128.xor(data, v128.load(secret));
  const product = i64x2.extmul_low_i32x4_u(
    i32x4.shuffle(keyed, keyed, 0, 2, 0, 2),
    i32x4.shuffle(keyed, keyed, 1, 3, 1, 3),
  );
  const swapped = i64x2.shuffle(data, data, 1, 0);
  return i64x2.add(acc, i64x2.add(product, swapped));
}

// @ts-ignore: decorator
@inline
function scramble2(acc: v128, secret: usize): v128 {
  const keyed = v128.xor(v128.xor(acc, i64x2.shr_u(acc, 47)), v128.load(secret));
  return i64x2.mul(keyed, i64x2.splat(PRIME32_1));
}

// @ts-ignore: decorator
@inline
function mergePair(acc: usize, secret: usize): u64 {
  return foldedProduct(load<u64>(acc) ^ load<u64>(secret), load<u64>(acc, 8) ^ load<u64>(secret, 8));
}

function over240(input: usize, length: usize, seed: u64): u64 {
  mixSecret(seed);
  let acc0 = i64x2(PRIME32_3, PRIME64_1);
  let acc1 = i64x2(PRIME64_2, PRIME64_3);
  let acc2 = i64x2(PRIME64_4, PRIME32_2);
  let acc3 = i64x2(PRIME64_5, PRIME32_1);
  const stripes = (length - 1) / STRIPE;
  let inBlock: usize = 0;
  for (let s: usize = 0; s < stripes; s++) {
    const from = input + s * STRIPE;
    const key = MIXED_SECRET + inBlock * 8;
    acc0 = accumulate2(acc0, from, key);
    acc1 = accumulate2(acc1, from + 16, key + 16);
    acc2 = accumulate2(acc2, from + 32, key + 32);
    acc3 = accumulate2(acc3, from + 48, key + 48);
    if (++inBlock == STRIPES_PER_BLOCK) {
      inBlock = 0;
      const last = MIXED_SECRET + SECRET_BYTES - STRIPE;
      acc0 = scramble2(acc0, last);
      acc1 = scramble2(acc1, last + 16);
      acc2 = scramble2(acc2, last + 32);
      acc3 = scramble2(acc3, last + 48);
    }
  }
  const from = input + length - STRIPE;
  const key = MIXED_SECRET + SECRET_BYTES - STRIPE - 7;
  v128.store(ACCUMULATORS, accumulate2(acc0, from, key));
  v128.store(ACCUMULATORS, accumulate2(acc1, from + 16, key + 16), 16);
  v128.store(ACCUMULATORS, accumulate2(acc2, from + 32, key + 32), 32);
  v128.store(ACCUMULATORS, accumulate2(acc3, from + 48, key + 48), 48);
  let hash = <u64>length * PRIME64_1;
  for (let i: usize = 0; i < 64; i += 16) hash += mergePair(ACCUMULATORS + i, MIXED_SECRET + 11 + i);
  return avalanche(hash);
}
