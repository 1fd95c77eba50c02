// Engine hash → block. Linear hashing: the table grows by one bucket at a time, so no store waits for a rehash. A
// bucket is 64 bytes: twelve 8-bit tags (0: free), the next overflow bucket, twelve values. A value is a block or,
// with the top bit set, an alias (aliases.ts). Neither repeats the hash, which is in the run or the alias. Buckets
// are in segments of 1,024, so that the table need not be contiguous.
import { poolInit, poolFree, poolReady, poolTake, take } from "./memory";
import { engineOf, placeOf, runOf } from "./run";

const BUCKET_BYTES: usize = 64;
const TAGS: i32 = 0xfff;
const OVERFLOW: usize = 12;
const VALUES: usize = 16;
const SEGMENT_BITS: u32 = 10;
/** Entries per bucket at which the table grows. */
const FILL: u32 = 10;
const ALIAS: u32 = 0x80000000;

const OVERFLOWS: usize = memory.data(16, 4);

let segments: usize = 0;
let buckets: u32 = 0;
/** Buckets below this one use `lowMask` × 2 + 1. */
let split: u32 = 0;
let lowMask: u32 = 0;
let entries: u32 = 0;
let maxBuckets: u32 = 0;

/** Allocates a table for `maxEntries` (more work, but slower), with buckets for `expected` of them. */
export function initEngineTable(maxEntries: u32, expected: u32): bool {
  poolInit(OVERFLOWS, <u32>BUCKET_BYTES, 64);
  maxBuckets = max(maxEntries / FILL + 1, 16);
  segments = take(((<usize>maxBuckets >> SEGMENT_BITS) + 1) * 4);
  if (!segments) return false;
  buckets = 4;
  const wanted = min(expected / FILL + 1, maxBuckets);
  while (buckets << 1 <= wanted) buckets <<= 1;
  lowMask = buckets - 1;
  for (let first: u32 = 0; first < buckets; first += 1 << SEGMENT_BITS) {
    // A small table has a smaller first segment.
    const size = min(maxBuckets, <u32>1 << SEGMENT_BITS);
    const segment = take(<usize>size << 6);
    if (!segment) return false;
    store<u32>(segments + (first >> SEGMENT_BITS << 2), segment);
  }
  return true;
}

/**
 * Grows the table for up to 32 more insertions. False if there is no memory for them; a table that merely cannot grow
 * gets slower instead.
 */
export function engineTableReady(insertions: u32): bool {
  if (!poolReady(OVERFLOWS, 128)) return false;
  let wanted = (entries + insertions) / FILL + 1;
  if (wanted > maxBuckets) wanted = maxBuckets;
  while (buckets < wanted && growBySome(wanted - buckets)) {}
  return true;
}

// Engine hashes may be plain counters, so they are mixed; those of aliases also with the worker.

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

/** The block with this shared hash; 0 if none. */
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

/** The worker's alias with this hash; 0 if none. An alias begins with its hash and worker. */
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

/** Keeps the compiler from removing prefetches. */
let touched: u32 = 0;

/** Prefetches the buckets of these hashes, so that their cache misses overlap. */
export function touchBuckets(hashes: usize, count: u32): void {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) sum += load<u8>(bucketOf(mixShared(load<u64>(hashes + (i << 3)))));
  touched = sum;
}

/** Inserts the block unless the hash exists. Returns whether it was inserted. */
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
  const free = matches(bucket, 0);
  if (free) setEntry(bucket, <usize>ctz(free), tag, block);
  else put(bucketOf(mixed), tag, block);
  entries++;
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
  entries++;
  put(bucketOf(mixed), tagOf(mixed), value);
}

// @ts-ignore: decorator
@inline
function setEntry(bucket: usize, place: usize, tag: u8, value: u32): void {
  store<u8>(bucket + place, tag);
  store<u32>(bucket + (place << 2), value, VALUES);
}

/** Puts an entry in the first free place of a bucket or its overflow buckets. */
function put(bucket: usize, tag: u8, value: u32): void {
  for (;;) {
    const free = matches(bucket, 0);
    if (free) return setEntry(bucket, <usize>ctz(free), tag, value);
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
          poolFree(OVERFLOWS, bucket);
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

/** How many buckets are split together. The hashes of their entries are read first, so that cache misses overlap. */
const TOGETHER: u32 = 4;
const PER_BUCKET: u32 = 12;
/** Hashes of one bucket and its first overflow bucket; further ones are rare. */
const MIXED_BYTES: usize = PER_BUCKET * 2 * 8;
const MIXED: usize = memory.data(TOGETHER * PER_BUCKET * 2 * 8, 16);

/** Adds up to `wanted` buckets, at least one, each with half of the next bucket to split. */
function growBySome(wanted: u32): bool {
  const some = min(min(wanted, TOGETHER), lowMask + 1 - split);
  for (let index = buckets; index < buckets + some; index++) {
    if (index & ((1 << SEGMENT_BITS) - 1)) continue;
    const segment = take(BUCKET_BYTES << SEGMENT_BITS);
    if (!segment) return false;
    store<u32>(segments + (index >> SEGMENT_BITS << 2), segment);
  }
  for (let i: u32 = 0; i < some; i++) {
    const bucket = bucketAt(split + i);
    const mixed = MIXED + <usize>i * MIXED_BYTES;
    const overflow = <usize>load<u32>(bucket, OVERFLOW);
    readHashes(bucket, mixed);
    if (overflow) readHashes(overflow, mixed + (PER_BUCKET << 3));
  }
  for (let i: u32 = 0; i < some; i++) {
    splitBucket(bucketAt(split + i), bucketAt(buckets + i), MIXED + <usize>i * MIXED_BYTES);
  }
  buckets += some;
  split += some;
  if (split > lowMask) {
    split = 0;
    lowMask = (lowMask << 1) | 1;
  }
  return true;
}

/** The mixed hashes of a bucket's entries, at their places. */
// @ts-ignore: decorator
@inline
function readHashes(bucket: usize, mixed: usize): void {
  for (let used = ~matches(bucket, 0) & TAGS; used; used &= used - 1) {
    const place = <usize>ctz(used);
    store<u64>(mixed + (place << 3), mixedOf(load<u32>(bucket + (place << 2), VALUES)));
  }
}

/** Whether a hash belongs in the new bucket of a split. */
// @ts-ignore: decorator
@inline
function isMoved(mixed: u64): bool {
  return (<u32>(mixed >> 32) & (lowMask + 1)) != 0;
}

/** Moves the entries that belong in `half`, which is empty, from `old`; `mixed` has their hashes. */
function splitBucket(old: usize, half: usize, mixed: usize): void {
  let overflow = <usize>load<u32>(old, OVERFLOW);
  store<u32>(old, 0, OVERFLOW);
  let kept: usize = 0;
  let moved: usize = 0;
  // No branch on the half, which would be mispredicted every other time. Kept entries move up.
  for (let used = ~matches(old, 0) & TAGS; used; used &= used - 1) {
    const place = <usize>ctz(used);
    const moves = <usize>isMoved(load<u64>(mixed + (place << 3)));
    const tag = load<u8>(old + place);
    const value = load<u32>(old + (place << 2), VALUES);
    setEntry(moves ? half : old, moves ? moved : kept, tag, value);
    moved += moves;
    kept += 1 - moves;
  }
  for (; kept < PER_BUCKET; kept++) store<u8>(old + kept, 0);
  mixed += PER_BUCKET << 3;
  for (let first = true; overflow; first = false) {
    if (!first) readHashes(overflow, mixed);
    for (let used = ~matches(overflow, 0) & TAGS; used; used &= used - 1) {
      const place = <usize>ctz(used);
      const moves = isMoved(load<u64>(mixed + (place << 3)));
      put(moves ? half : old, load<u8>(overflow + place), load<u32>(overflow + (place << 2), VALUES));
    }
    const next = <usize>load<u32>(overflow, OVERFLOW);
    poolFree(OVERFLOWS, overflow);
    overflow = next;
  }
}
