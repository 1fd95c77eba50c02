/**
 * XXH3-64 with bigints, written from the public xxHash specification for clarity, not speed. Tests compare the core's
 * hash with it.
 */
const MASK = (1n << 64n) - 1n;

const P32 = [0x9e3779b1n, 0x85ebca77n, 0xc2b2ae3dn] as const;
const P64 = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const;

const SECRET = Uint8Array.from(
  (
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221" +
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8" +
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb" +
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
  )
    .match(/../g)!
    .map((digits) => Number.parseInt(digits, 16)),
);

/** Hash of `input` with a 64-bit seed. */
export function referenceXxh3(input: Uint8Array, seed: bigint): bigint {
  const length = input.length;
  if (length === 0) return avalanche64(seed ^ u64(SECRET, 56) ^ u64(SECRET, 64));
  if (length <= 3) return hash1to3(input, seed);
  if (length <= 8) return hash4to8(input, seed);
  if (length <= 16) return hash9to16(input, seed);
  if (length <= 128) return hash17to128(input, seed);
  if (length <= 240) return hash129to240(input, seed);
  return hashLong(input, seed);
}

function hash1to3(input: Uint8Array, seed: bigint): bigint {
  const length = input.length;
  const first = BigInt(input[0]!);
  const middle = BigInt(input[length >> 1]!);
  const last = BigInt(input[length - 1]!);
  const combined = last | (BigInt(length) << 8n) | (first << 16n) | (middle << 24n);
  return avalanche64(((u32(SECRET, 0) ^ u32(SECRET, 4)) + seed) ^ combined);
}

function hash4to8(input: Uint8Array, seed: bigint): bigint {
  const length = input.length;
  const modified = seed ^ (swapBytes(seed & 0xffffffffn, 4) << 32n);
  const combined = u32(input, length - 4) | (u32(input, 0) << 32n);
  let value = (((u64(SECRET, 8) ^ u64(SECRET, 16)) - modified) & MASK) ^ combined;
  value ^= rotate(value, 49n) ^ rotate(value, 24n);
  value = (value * 0x9fb21c651e98df25n) & MASK;
  value ^= (value >> 35n) + BigInt(length);
  value = (value * 0x9fb21c651e98df25n) & MASK;
  return value ^ (value >> 28n);
}

function hash9to16(input: Uint8Array, seed: bigint): bigint {
  const length = input.length;
  const low = (((u64(SECRET, 24) ^ u64(SECRET, 32)) + seed) & MASK) ^ u64(input, 0);
  const high = (((u64(SECRET, 40) ^ u64(SECRET, 48)) - seed) & MASK) ^ u64(input, length - 8);
  return avalanche(BigInt(length) + swapBytes(low, 8) + high + fold(low, high));
}

function hash17to128(input: Uint8Array, seed: bigint): bigint {
  const length = input.length;
  let sum = BigInt(length) * P64[0];
  const pairs = ((length - 1) >> 5) + 1;
  for (let i = pairs - 1; i >= 0; i--) {
    sum += mix(input, i * 16, i * 32, seed);
    sum += mix(input, length - (i + 1) * 16, i * 32 + 16, seed);
  }
  return avalanche(sum);
}

function hash129to240(input: Uint8Array, seed: bigint): bigint {
  const length = input.length;
  let sum = BigInt(length) * P64[0];
  for (let i = 0; i < 8; i++) sum += mix(input, i * 16, i * 16, seed);
  sum = avalanche(sum);
  for (let i = 8; i < length >> 4; i++) sum += mix(input, i * 16, (i - 8) * 16 + 3, seed);
  sum += mix(input, length - 16, 136 - 17, seed);
  return avalanche(sum);
}

function hashLong(input: Uint8Array, seed: bigint): bigint {
  const secret = new Uint8Array(192);
  const view = new DataView(secret.buffer);
  for (let i = 0; i < 192; i += 16) {
    view.setBigUint64(i, (u64(SECRET, i) + seed) & MASK, true);
    view.setBigUint64(i + 8, (u64(SECRET, i + 8) - seed) & MASK, true);
  }
  const acc = [P32[2], P64[0], P64[1], P64[2], P64[3], P32[1], P64[4], P32[0]];
  const stripes = Math.floor((input.length - 1) / 64);
  for (let stripe = 0; stripe < stripes; stripe++) {
    accumulate(acc, input, stripe * 64, secret, (stripe % 16) * 8);
    if (stripe % 16 === 15) scramble(acc, secret);
  }
  accumulate(acc, input, input.length - 64, secret, 192 - 64 - 7);
  let sum = BigInt(input.length) * P64[0];
  for (let i = 0; i < 4; i++) {
    sum += fold(acc[i * 2]! ^ u64(secret, 11 + i * 16), acc[i * 2 + 1]! ^ u64(secret, 11 + i * 16 + 8));
  }
  return avalanche(sum);
}

function accumulate(acc: bigint[], input: Uint8Array, at: number, secret: Uint8Array, keyAt: number): void {
  for (let lane = 0; lane < 8; lane++) {
    const value = u64(input, at + lane * 8);
    const key = value ^ u64(secret, keyAt + lane * 8);
    acc[lane ^ 1] = (acc[lane ^ 1]! + value) & MASK;
    acc[lane] = (acc[lane]! + (key & 0xffffffffn) * (key >> 32n)) & MASK;
  }
}

function scramble(acc: bigint[], secret: Uint8Array): void {
  for (let lane = 0; lane < 8; lane++) {
    const value = acc[lane]! ^ (acc[lane]! >> 47n) ^ u64(secret, 128 + lane * 8);
    acc[lane] = (value * P32[0]) & MASK;
  }
}

function mix(input: Uint8Array, at: number, keyAt: number, seed: bigint): bigint {
  const low = u64(input, at) ^ ((u64(SECRET, keyAt) + seed) & MASK);
  const high = u64(input, at + 8) ^ ((u64(SECRET, keyAt + 8) - seed) & MASK);
  return fold(low, high);
}

/** The XOR of the 128-bit product's halves. */
function fold(a: bigint, b: bigint): bigint {
  const product = a * b;
  return (product & MASK) ^ (product >> 64n);
}

function avalanche(value: bigint): bigint {
  let hash = value & MASK;
  hash ^= hash >> 37n;
  hash = (hash * 0x165667919e3779f9n) & MASK;
  return hash ^ (hash >> 32n);
}

function avalanche64(value: bigint): bigint {
  let hash = value & MASK;
  hash ^= hash >> 33n;
  hash = (hash * P64[1]) & MASK;
  hash ^= hash >> 29n;
  hash = (hash * P64[2]) & MASK;
  return hash ^ (hash >> 32n);
}

function rotate(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK;
}

function swapBytes(value: bigint, bytes: number): bigint {
  let swapped = 0n;
  for (let i = 0n; i < BigInt(bytes); i++) swapped = (swapped << 8n) | ((value >> (8n * i)) & 0xffn);
  return swapped;
}

function u64(bytes: Uint8Array, at: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true);
}

function u32(bytes: Uint8Array, at: number): bigint {
  return BigInt(new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true));
}
