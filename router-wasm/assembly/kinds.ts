// Who can hold a block. A worker holds blocks in the memory of its device, is predicted to hold some, and may have
// copies of others in its host's memory and on disk; a pool holds blocks for all workers. Each of these is a holder,
// with a number of its own: kind · stride + worker, so that a worker's own number is that of its device.
import { take } from "./memory";
import { count, STORED_BLOCKS, stat } from "./stats";
import { addStored } from "./workers";

export const DEVICE: u32 = 0;
export const PREDICTED: u32 = 1;
export const HOST: u32 = 2;
export const DISK: u32 = 3;
export const POOL: u32 = 4;

/** Between a worker's holders; a multiple of 128, so that the bit sets of each kind are whole words. */
export let stride: u32 = 0;
/** Holders at most. */
export let maxHolders: u32 = 0;

/** u32 per holder: first of its aliases. */
export let aliasHeads: usize = 0;
/** f64 per holder: blocks that it holds. */
let heldBlocks: usize = 0;

export function initKinds(maxWorkers: u32): bool {
  stride = (maxWorkers + 127) & ~127;
  maxHolders = POOL * stride + 1;
  aliasHeads = take(<usize>maxHolders << 2);
  heldBlocks = take(<usize>maxHolders << 3);
  return heldBlocks != 0;
}

// @ts-ignore: decorator
@inline
export function kindOf(h: u32): u32 {
  return h < stride ? DEVICE : h / stride;
}

// @ts-ignore: decorator
@inline
export function holderOf(kind: u32, w: u32): u32 {
  return kind == POOL ? POOL * stride : kind * stride + w;
}

/** Counts blocks that a holder has more, or fewer, than before. */
// @ts-ignore: decorator
@inline
export function countHeld(h: u32, by: f64): void {
  const at = heldBlocks + (<usize>h << 3);
  store<f64>(at, load<f64>(at) + by);
  if (h < stride) addStored(h, by);
  count(STORED_BLOCKS + (<usize>kindOf(h) << 3), by);
}

// @ts-ignore: decorator
@inline
export function held(h: u32): f64 {
  return load<f64>(heldBlocks + (<usize>h << 3));
}

/** Blocks that holders of this kind have in all. */
// @ts-ignore: decorator
@inline
export function heldByKind(kind: u32): f64 {
  return stat(STORED_BLOCKS + (<usize>kind << 3));
}
