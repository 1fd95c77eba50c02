// A run is a piece of the prefix tree: up to 32 consecutive blocks, 576 bytes in one place. Its first block follows
// the run's parent block; runs that share a parent differ in the local hash of their first block.
//
//    0  u32  parent block (0: none, the run starts at the first token)
//    4  u32  next run in the same bucket of the children table
//    8  u32  neighbour stored before it      12  u32  neighbour stored after it
//   16  u32  runs whose parent block lies in this run
//   20  u32  mask: blocks whose engine hash below is in the engine table
//   24  u32  bit sets of workers that hold all of it (holders.ts), 0 when there are none
//   28  u32  first of the run's aliases (aliases.ts)
//   32  u8   blocks in it, 0 while the run is free    33  u8  flags
//   34  i16  distance in 64 bytes to the run that last came to follow this one, 0 when there is none or it is far
//   36  u32  first line of further holders
//   40  2 × holder (mask u32, own u32, worker u32)
//   64  32 × u64  local hashes: of the token ids
//  320  32 × u64  engine hashes: the first that a worker reported
//
// A block is named by 31 bits: the run's address (a multiple of 64) halved, plus the block's place in the run.
import { takeDirty } from "./memory";
import { count, RUNS } from "./stats";

export const BLOCKS_PER_RUN: u32 = 32;
const RUN_BYTES: usize = 576;
const RUNS_PER_SLAB: u32 = 28;
const SLAB_HEADER: usize = 64;

export const PARENT: usize = 0;
export const NEXT_SIBLING: usize = 4;
export const OLDER: usize = 8;
export const NEWER: usize = 12;
export const CHILDREN: usize = 16;
export const SHARED: usize = 20;
export const WIDE: usize = 24;
export const ALIASES: usize = 28;
export const LENGTH: usize = 32;
export const FLAGS: usize = 33;
export const FOLLOWER: usize = 34;
export const LINE: usize = 36;
export const INLINE: usize = 40;
export const LOCALS: usize = 64;
export const ENGINES: usize = 320;

/** Flag: some worker may hold a block of this run under more than one engine hash. */
export const SEVERAL_HASHES: u8 = 1;

let firstFree: usize = 0;
/** Slabs of runs, each naming the one before it. */
let lastSlab: usize = 0;

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

// @ts-ignore: decorator
@inline
export function localOf(run: usize, place: u32): u64 {
  return load<u64>(run + (place << 3), LOCALS);
}

// @ts-ignore: decorator
@inline
export function engineOf(run: usize, place: u32): u64 {
  return load<u64>(run + (place << 3), ENGINES);
}

/** Bits of the first `length` blocks. */
// @ts-ignore: decorator
@inline
export function firstBits(length: u32): u32 {
  return length >= 32 ? 0xffffffff : (1 << length) - 1;
}

export function runsReady(): bool {
  if (firstFree) return true;
  const slab = takeDirty(SLAB_HEADER + <usize>RUNS_PER_SLAB * RUN_BYTES);
  if (!slab) return false;
  store<u32>(slab, lastSlab);
  lastSlab = slab;
  for (let i: i32 = RUNS_PER_SLAB - 1; i >= 0; i--) {
    const run = slab + SLAB_HEADER + <usize>i * RUN_BYTES;
    store<u8>(run, 0, LENGTH);
    store<u32>(run, firstFree);
    firstFree = run;
  }
  return true;
}

/** A run with nothing in it but its parent; call `runsReady` before. */
export function newRun(parent: u32): usize {
  const run = firstFree;
  firstFree = load<u32>(run);
  memory.fill(run, 0, LOCALS);
  store<u32>(run, parent, PARENT);
  count(RUNS);
  return run;
}

export function leaveRun(run: usize): void {
  store<u8>(run, 0, LENGTH);
  store<u32>(run, firstFree);
  firstFree = run;
  count(RUNS, -1);
}

/** Calls `visit` for every run in use. It may free runs, but not make new ones. */
export function eachRun(visit: (run: usize) => void): void {
  for (let slab = lastSlab; slab; slab = load<u32>(slab)) {
    let run = slab + SLAB_HEADER;
    for (let i: u32 = 0; i < RUNS_PER_SLAB; i++, run += RUN_BYTES) if (load<u8>(run, LENGTH)) visit(run);
  }
}
