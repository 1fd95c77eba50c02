// Engine hash → block. Linear hashing: the table grows by one bucket at a time, so no store waits for a rehash.
// A bucket is 64 bytes: twelve 8-bit tags (0: free), the next overflow bucket, twelve values. A value is a block, or
// with the top bit set an alias (aliases.ts); neither repeats the hash, which stands in the run or the alias.
// Buckets lie in segments of 1,024, so that the table need not be in one piece.
import { poolInit, poolLeave, poolReady, poolTake, take } from "./memory";
import { engineOf, placeOf, runOf } from "./run";

const BUCKET_BYTES: usize = 64;
const TAGS: i32 = 0xfff;
const OVERFLOW: usize = 12;
const VALUES: usize = 16;
const SEGMENT_BITS: u32 = 10;
/** Entries per bucket at which the table grows. */
const FILL: u32 = 8;
const ALIAS: u32 = 0x80000000;

const OVERFLOWS: usize = memory.data(16, 4);

let segments: usize = 0;
let buckets: u32 = 0;
/** Buckets below this one use `lowMask` × 2 + 1. */
let split: u32 = 0;
let lowMask: u32 = 0;
let entries: u32 = 0;
let maxBuckets: u32 = 0;

/** Room for `maxEntries`; more will do, but slower. */
export function initEngineTable(maxEntries: u32): bool {
  poolInit(OVERFLOWS, <u32>BUCKET_BYTES, 64);
  maxBuckets = max(maxEntries / FILL, 16);
  const directory = (<usize>maxBuckets >> SEGMENT_BITS) + 1;
  segments = take(directory * 4);
  if (!segments) return false;
  const first = take(min(<usize>maxBuckets + 1, <usize>1 << SEGMENT_BITS) * BUCKET_BYTES);
  if (!first) return false;
  store<u32>(segments, first);
  buckets = 4;
  lowMask = 3;
  return true;
}

/** Sees to it that the next insertions, 32 at most, have the memory they may want. */
export function engineTableReady(): bool {
  return poolReady(OVERFLOWS, 128);
}

// Hashes of engines may be plain counters, so they are mixed; an alias also by its worker.

// @ts-ignore: decorator
@inline
function mixShared(hash: u64): u64 {
  const mixed = hash * 0x9e3779b97f4a7c15;
  return (mixed ^ (mixed >> 32)) * 0xd6e8feb86659fd93;
}

// @ts-ignore: decorator
@inline
function mixAlias(hash: u64, w: u32): u64 {
  return mixShared(hash ^ (<u64>(w + 1) * 0xa0761d6478bd642f));
}

// @ts-ignore: decorator
@inline
function tagOf(mixed: u64): u8 {
  return <u8>max(<u32>(mixed >> 24) & 255, 1);
}

// @ts-ignore: decorator
@inline
function bucketAt(index: u32): usize {
  return <usize>load<u32>(segments + (index >> SEGMENT_BITS << 2)) + ((index & ((1 << SEGMENT_BITS) - 1)) << 6);
}

// @ts-ignore: decorator
@inline
function bucketOf(mixed: u64): usize {
  const high = <u32>(mixed >> 32);
  const low = high & lowMask;
  return bucketAt(low < split ? high & ((lowMask << 1) | 1) : low);
}

// @ts-ignore: decorator
@inline
function matches(bucket: usize, tag: u8): i32 {
  return i8x16.bitmask(i8x16.eq(v128.load(bucket), i8x16.splat(<i8>tag))) & TAGS;
}

/** The block whose shared hash this is, 0 for none. */
export function findBlock(hash: u64): u32 {
  const mixed = mixShared(hash);
  const tag = tagOf(mixed);
  for (let bucket = bucketOf(mixed); bucket; bucket = load<u32>(bucket, OVERFLOW)) {
    for (let found = matches(bucket, tag); found; found &= found - 1) {
      const value = load<u32>(bucket + (<usize>ctz(found) << 2), VALUES);
      if (!(value & ALIAS) && engineOf(runOf(value), placeOf(value)) == hash) return value;
    }
  }
  return 0;
}

/** The worker's alias with this hash, 0 for none. An alias begins with its hash and worker. */
export function findAlias(hash: u64, w: u32): usize {
  const mixed = mixAlias(hash, w);
  const tag = tagOf(mixed);
  for (let bucket = bucketOf(mixed); bucket; bucket = load<u32>(bucket, OVERFLOW)) {
    for (let found = matches(bucket, tag); found; found &= found - 1) {
      const value = load<u32>(bucket + (<usize>ctz(found) << 2), VALUES);
      if (value & ALIAS) {
        const alias = <usize>(value & ~ALIAS) << 1;
        if (load<u64>(alias) == hash && load<u32>(alias, 8) == w) return alias;
      }
    }
  }
  return 0;
}

/** Reads the buckets of these hashes, all at once, so that using them one by one does not wait for memory. */
export function touchBuckets(hashes: usize, count: u32): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) sum += load<u8>(bucketOf(mixShared(load<u64>(hashes + (i << 3)))));
  return sum;
}

/** Inserts unless the hash is there already; whether it did. */
export function insertNewBlock(hash: u64, block: u32): bool {
  const mixed = mixShared(hash);
  const tag = tagOf(mixed);
  let bucket = bucketOf(mixed);
  for (;;) {
    for (let found = matches(bucket, tag); found; found &= found - 1) {
      const value = load<u32>(bucket + (<usize>ctz(found) << 2), VALUES);
      if (!(value & ALIAS) && engineOf(runOf(value), placeOf(value)) == hash) return false;
    }
    const next = <usize>load<u32>(bucket, OVERFLOW);
    if (!next) break;
    bucket = next;
  }
  insert(mixed, block);
  return true;
}

export function insertBlock(hash: u64, block: u32): void {
  insert(mixShared(hash), block);
}

export function removeBlock(hash: u64, block: u32): void {
  remove(mixShared(hash), block);
}

export function insertAlias(alias: usize): void {
  insert(mixAlias(load<u64>(alias), load<u32>(alias, 8)), <u32>(alias >> 1) | ALIAS);
}

export function removeAlias(alias: usize): void {
  remove(mixAlias(load<u64>(alias), load<u32>(alias, 8)), <u32>(alias >> 1) | ALIAS);
}

function insert(mixed: u64, value: u32): void {
  if (++entries > buckets * FILL && buckets < maxBuckets) growByOne();
  put(bucketOf(mixed), tagOf(mixed), value);
}

function put(bucket: usize, tag: u8, value: u32): void {
  for (;;) {
    const free = matches(bucket, 0);
    if (free) {
      const place = <usize>ctz(free);
      store<u8>(bucket + place, tag);
      store<u32>(bucket + (place << 2), value, VALUES);
      return;
    }
    let next = <usize>load<u32>(bucket, OVERFLOW);
    if (!next) {
      next = poolTake(OVERFLOWS);
      memory.fill(next, 0, VALUES);
      store<u32>(bucket, next, OVERFLOW);
    }
    bucket = next;
  }
}

function remove(mixed: u64, value: u32): void {
  const tag = tagOf(mixed);
  let before: usize = 0;
  let bucket = bucketOf(mixed);
  while (bucket) {
    for (let found = matches(bucket, tag); found; found &= found - 1) {
      const place = <usize>ctz(found);
      if (load<u32>(bucket + (place << 2), VALUES) == value) {
        store<u8>(bucket + place, 0);
        entries--;
        if (before && matches(bucket, 0) == TAGS) {
          store<u32>(before, load<u32>(bucket, OVERFLOW), OVERFLOW);
          poolLeave(OVERFLOWS, bucket);
        }
        return;
      }
    }
    before = bucket;
    bucket = load<u32>(bucket, OVERFLOW);
  }
}

function mixedOf(value: u32): u64 {
  if (value & ALIAS) {
    const alias = <usize>(value & ~ALIAS) << 1;
    return mixAlias(load<u64>(alias), load<u32>(alias, 8));
  }
  return mixShared(engineOf(runOf(value), placeOf(value)));
}

/** Reads the hashes of a bucket's entries, all at once, as `touchBuckets` does buckets. */
function touchHashes(bucket: usize): void {
  let sum: u64 = 0;
  for (let used = ~matches(bucket, 0) & TAGS; used; used &= used - 1) {
    sum ^= mixedOf(load<u32>(bucket + (<usize>ctz(used) << 2), VALUES));
  }
  touched = sum;
}

/** Keeps the compiler from leaving the reads out. */
let touched: u64 = 0;

/** Adds one bucket and moves half of the bucket at `split` into it. */
function growByOne(): void {
  const index = buckets;
  if (!(index & ((1 << SEGMENT_BITS) - 1))) {
    const segment = take(BUCKET_BYTES << SEGMENT_BITS);
    if (!segment) return;
    store<u32>(segments + (index >> SEGMENT_BITS << 2), segment);
  }
  const old = bucketAt(split);
  buckets++;
  if (++split > lowMask) {
    split = 0;
    lowMask = (lowMask << 1) | 1;
  }
  const half = bucketAt(index);
  touchHashes(old);
  let overflow = <usize>load<u32>(old, OVERFLOW);
  store<u32>(old, 0, OVERFLOW);
  spread(old, half);
  while (overflow) {
    const next = <usize>load<u32>(overflow, OVERFLOW);
    spread(overflow, half);
    // What is left in it goes back to the old bucket, or stays in a chain when that is full.
    let kept = ~matches(overflow, 0) & TAGS;
    for (; kept; kept &= kept - 1) {
      const place = <usize>ctz(kept);
      const tag = load<u8>(overflow + place);
      const value = load<u32>(overflow + (place << 2), VALUES);
      put(old, tag, value);
    }
    poolLeave(OVERFLOWS, overflow);
    overflow = next;
  }
}

/** Moves the entries of `from` that now belong to `half`. */
function spread(from: usize, half: usize): void {
  for (let used = ~matches(from, 0) & TAGS; used; used &= used - 1) {
    const place = <usize>ctz(used);
    const value = load<u32>(from + (place << 2), VALUES);
    const mixed = mixedOf(value);
    if (bucketOf(mixed) != half) continue;
    store<u8>(from + place, 0);
    put(half, tagOf(mixed), value);
  }
}
