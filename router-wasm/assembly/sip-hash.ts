// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash that tells nothing of its input to those without the key.

let keyLow: u64 = 0;
let keyHigh: u64 = 0;

let v0: u64 = 0;
let v1: u64 = 0;
let v2: u64 = 0;
let v3: u64 = 0;

export function setSipKey(low: u64, high: u64): void {
  keyLow = low;
  keyHigh = high;
}

/** The hash of 8 bytes. */
export function sipOf8(word: u64): u64 {
  begin();
  add(word);
  return end(8);
}

/** The hash of 16 bytes. */
export function sipOf16(first: u64, second: u64): u64 {
  begin();
  add(first);
  add(second);
  return end(16);
}

// @ts-ignore: decorator
@inline
function begin(): void {
  v0 = keyLow ^ 0x736f6d6570736575;
  v1 = keyHigh ^ 0x646f72616e646f6d;
  v2 = keyLow ^ 0x6c7967656e657261;
  v3 = keyHigh ^ 0x7465646279746573;
}

// @ts-ignore: decorator
@inline
function add(word: u64): void {
  v3 ^= word;
  mix();
  mix();
  v0 ^= word;
}

/** @param length of the input, in bytes */
// @ts-ignore: decorator
@inline
function end(length: u64): u64 {
  add(length << 56);
  v2 ^= 0xff;
  mix();
  mix();
  mix();
  mix();
  return v0 ^ v1 ^ v2 ^ v3;
}

// @ts-ignore: decorator
@inline
function mix(): void {
  v0 += v1;
  v1 = rotl(v1, 13) ^ v0;
  v0 = rotl(v0, 32);
  v2 += v3;
  v3 = rotl(v3, 16) ^ v2;
  v0 += v3;
  v3 = rotl(v3, 21) ^ v0;
  v2 += v1;
  v1 = rotl(v1, 17) ^ v2;
  v2 = rotl(v2, 32);
}
