// A run is a piece of the prefix tree: up to 32 consecutive blocks. Its first block follows the run's parent block;
// runs with the same parent differ in the local hash of their first block. A walk reads only the head of a matching
// run, which is one cache line; the rest is in separate regions, at the same index in each:
//
//   heads, 64 bytes:
//      0  u32  parent block (0: none, the run starts at the first token)
//      4  u32  next run in the same bucket of the children table
//      8  u32  bit sets of workers that hold all of it (wide.ts); 0 if none
//     12  u8   number of blocks, 0 while the run is free    13  u8  flags
//     14  i16  distance in runs to the child added last; 0 if there is none or it is too far
//     16  u64  local hash of its first block
//     24  u64  digest of its local hashes (digest.ts)
//     32  u32  first line of further holders
//     36  u32  mask: blocks whose engine hash is in the engine table
//     40  2 × holder (mask u32, own u32, holder u32)
//   locals, 256 bytes: 32 × u64  local hashes, of the token ids
//   engines, 256 bytes: 32 × u64  engine hashes, as first reported by a worker
//   links, 16 bytes:
//      0  u32  run stored before it      4  u32  run stored after it
//      8  u32  number of runs whose parent block is in this run
//     12  u32  the run's first alias (aliases.ts)
//
// The regions are allocated at the start for the maximum number of runs; untouched memory costs nothing. A run's handle
// is the address of its head. A block's handle has 31 bits: its run's address (a multiple of 64) halved, plus its place
// in the run.
import { take } from "./memory";
import { copiedFlag } from "./snapshot-state";
import { count, RUNS } from "./stats";

export const BLOCKS_PER_RUN: u32 = 32;
const HEAD_BYTES: usize = 64;
const HASHES_BYTES: usize = 256;
const LINK_BYTES: usize = 16;
export const RUN_BYTES: usize = HEAD_BYTES + 2 * HASHES_BYTES + LINK_BYTES;

export const PARENT: usize = 0;
export const NEXT_SIBLING: usize = 4;
export const WIDE: usize = 8;
export const LENGTH: usize = 12;
export const FLAGS: usize = 13;
export const FOLLOWER: usize = 14;
export const FIRST: usize = 16;
export const DIGEST: usize = 24;
export const LINE: usize = 32;
export const SHARED: usize = 36;
export const INLINE: usize = 40;

export const OLDER: usize = 0;
export const NEWER: usize = 4;
export const CHILDREN: usize = 8;
export const ALIASES: usize = 12;

/** Flag: a worker may hold a block of this run under more than one engine hash. */
export const SEVERAL_HASHES: u8 = 1;
/** Flag: distinguishes runs that the current snapshot has copied from those it has not (snapshot.ts). */
export const COPIED: u8 = 2;
/** Flag: a slot of this run is a group (holders.ts). */
export const GROUPED: u8 = 4;

let heads: usize = 0;
/** Offsets of the regions, so that an address is a head's address, shifted, plus this. */
let localsBase: usize = 0;
let enginesBase: usize = 0;
let linksBase: usize = 0;

/** The end of the heads used so far, and of all heads. */
let used: usize = 0;
let end: usize = 0;
let firstFree: usize = 0;

/** Allocates the regions for this many runs; false if there is not enough memory. */
export function initRuns(limit: u32): bool {
  // The first head stays unused, because block 0 means none.
  const runs = <usize>limit + 1;
  heads = take(runs * HEAD_BYTES);
  const locals = take(runs * HASHES_BYTES);
  const engines = take(runs * HASHES_BYTES);
  const links = take(runs * LINK_BYTES);
  if (!links) return false;
  localsBase = locals - (heads << 2);
  enginesBase = engines - (heads << 2);
  linksBase = links - (heads >> 2);
  used = heads + HEAD_BYTES;
  end = heads + runs * HEAD_BYTES;
  return true;
}

/** Bytes of the regions that have never been used. */
export function untouchedRunBytes(): f64 {
  return (<f64>(end - used) / <f64>HEAD_BYTES) * <f64>RUN_BYTES;
}

// @ts-ignore: decorator
@inline
export function blockOf(run: usize, place: u32): u32 {
  return <u32>(run >> 1) | place;
}

// @ts-ignore: decorator
@inline
export function runOf(block: u32): usize {
  return <usize>(block & ~31) << 1;
}

// @ts-ignore: decorator
@inline
export function placeOf(block: u32): u32 {
  return block & 31;
}

// @ts-ignore: decorator
@inline
export function lengthOf(run: usize): u32 {
  return load<u8>(run, LENGTH);
}

/** Address of the run's local hashes. */
// @ts-ignore: decorator
@inline
export function localsOf(run: usize): usize {
  return (run << 2) + localsBase;
}

/** Address of the run's engine hashes. */
// @ts-ignore: decorator
@inline
export function enginesOf(run: usize): usize {
  return (run << 2) + enginesBase;
}

/** Address of the run's links: `OLDER`, `NEWER`, `CHILDREN` and `ALIASES`. */
// @ts-ignore: decorator
@inline
export function linksOf(run: usize): usize {
  return (run >> 2) + linksBase;
}

// @ts-ignore: decorator
@inline
export function firstLocalOf(run: usize): u64 {
  return load<u64>(run, FIRST);
}

// @ts-ignore: decorator
@inline
export function localOf(run: usize, place: u32): u64 {
  return load<u64>(localsOf(run) + (place << 3));
}

// @ts-ignore: decorator
@inline
export function engineOf(run: usize, place: u32): u64 {
  return load<u64>(enginesOf(run) + (place << 3));
}

/** Bits of the first `length` blocks. */
// @ts-ignore: decorator
@inline
export function firstBits(length: u32): u32 {
  return length >= 32 ? 0xffffffff : (1 << length) - 1;
}

export function runsReady(): bool {
  return firstFree != 0 || used < end;
}

/** Allocates an empty run after `parent`. Call `runsReady` first. */
export function newRun(parent: u32): usize {
  let run = firstFree;
  if (run) {
    firstFree = load<u32>(run);
  } else {
    run = used;
    used += HEAD_BYTES;
  }
  const zero = i64x2.splat(0);
  v128.store(run, zero);
  v128.store(run, zero, 16);
  v128.store(run, zero, 32);
  v128.store(run, zero, 48);
  v128.store(linksOf(run), zero);
  store<u32>(run, parent, PARENT);
  // The current snapshot must not contain it.
  store<u8>(run, copiedFlag, FLAGS);
  count(RUNS);
  return run;
}

export function freeRun(run: usize): void {
  store<u8>(run, 0, LENGTH);
  store<u32>(run, firstFree);
  firstFree = run;
  count(RUNS, -1);
}

/** Calls `visit` for every run in use. It may free runs, but not allocate new ones. */
export function eachRun(visit: (run: usize) => void): void {
  for (let run = heads + HEAD_BYTES; run < used; run += HEAD_BYTES) if (load<u8>(run, LENGTH)) visit(run);
}
