// Finds the run after a block whose first block has a given local hash, in buckets of linked runs. The number of
// buckets is fixed by the block limit: one for 16 blocks.
import { take } from "./memory";
import {
  blockOf,
  firstLocalOf,
  FOLLOWER,
  lengthOf,
  localOf,
  NEXT_SIBLING,
  PARENT,
  placeOf,
  runOf,
} from "./run";

let heads: usize = 0;
let shift: u64 = 0;

export function initChildren(maxBlocks: u32): bool {
  let bits: u32 = 4;
  while (bits < 28 && <u32>1 << bits < maxBlocks >> 4) bits++;
  shift = 64 - bits;
  heads = take(<usize>4 << bits);
  return heads != 0;
}

/** The free low bits of a run's address in a link hold part of its hash, so that few other runs are read. */
const TAG: u32 = 63;

// @ts-ignore: decorator
@inline
function mix(parent: u32, local: u64): u64 {
  return (local ^ (<u64>parent * 0xd6e8feb86659fd93)) * 0x9e3779b97f4a7c15;
}

// @ts-ignore: decorator
@inline
function bucketOf(mixed: u64): usize {
  return heads + (<usize>(mixed >> shift) << 2);
}

// @ts-ignore: decorator
@inline
function tagOf(mixed: u64): u32 {
  return <u32>(mixed >> 24) & TAG;
}

/** The run after `parent` whose first block has this local hash; 0 if none. */
// @ts-ignore: decorator
@inline
export function childOf(parent: u32, local: u64): usize {
  if (parent) {
    const near = followerOf(runOf(parent));
    if (follows(near, parent, local)) return near;
  }
  return childInBucket(parent, local);
}

/** The block after this one (0: the start) with this local hash, in the same run or a following one; 0 if none. */
export function blockAfter(block: u32, local: u64): u32 {
  if (block) {
    const run = runOf(block);
    const place = placeOf(block) + 1;
    if (place < lengthOf(run) && localOf(run, place) == local) return block + 1;
  }
  const run = childOf(block, local);
  return run ? blockOf(run, 0) : 0;
}

/** The recorded follower of this run. It is usually the one wanted, and then no bucket is read. */
// @ts-ignore: decorator
@inline
export function followerOf(run: usize): usize {
  return run + (<usize>load<i16>(run, FOLLOWER) << 6);
}

/** Whether this is the run after `parent` whose first block has this local hash. */
// @ts-ignore: decorator
@inline
export function follows(run: usize, parent: u32, local: u64): bool {
  return load<u32>(run, PARENT) == parent && firstLocalOf(run) == local && lengthOf(run) != 0;
}

/** Prefetches the bucket for `childInBucket`. The result only keeps the compiler from removing the read. */
// @ts-ignore: decorator
@inline
export function touchBucket(parent: u32, local: u64): u32 {
  return load<u32>(bucketOf(mix(parent, local)));
}

export function childInBucket(parent: u32, local: u64): usize {
  const mixed = mix(parent, local);
  const tag = tagOf(mixed);
  let link = load<u32>(bucketOf(mixed));
  while (link) {
    const run = <usize>(link & ~TAG);
    if ((link & TAG) == tag && load<u32>(run, PARENT) == parent && firstLocalOf(run) == local) return run;
    link = load<u32>(run, NEXT_SIBLING);
  }
  return 0;
}

/** The run's parent and first local hash must be set. */
export function linkChild(run: usize): void {
  const mixed = mix(load<u32>(run, PARENT), firstLocalOf(run));
  const bucket = bucketOf(mixed);
  store<u32>(run, load<u32>(bucket), NEXT_SIBLING);
  store<u32>(bucket, <u32>run | tagOf(mixed));
  if (!load<u32>(run, PARENT)) return;
  const above = runOf(load<u32>(run, PARENT));
  const distance = (<i32>run - <i32>above) >> 6;
  if (distance == <i32><i16>distance) store<i16>(above, <i16>distance, FOLLOWER);
}

export function unlinkChild(run: usize): void {
  let at = bucketOf(mix(load<u32>(run, PARENT), firstLocalOf(run)));
  for (;;) {
    const next = <usize>(load<u32>(at) & ~TAG);
    if (next == run) break;
    at = next + NEXT_SIBLING;
  }
  store<u32>(at, load<u32>(run, NEXT_SIBLING));
}
