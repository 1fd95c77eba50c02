// The kinds of holders. A worker holds blocks in device memory, is predicted to hold some, and may have copies of
// others in host memory and on disk; a pool holds blocks for all workers. Each of these is a separate holder with the
// number kind · stride + worker, so that a worker's own number is that of its device.
import { take } from "./memory";
import { count, STORED_BLOCKS, stat } from "./stats";
import { addStored } from "./workers";

export const DEVICE: u32 = 0;
export const PREDICTED: u32 = 1;
export const HOST: u32 = 2;
export const DISK: u32 = 3;
export const POOL: u32 = 4;

/** Distance between a worker's holders; a multiple of 128, so that the bit sets of each kind are whole vectors. */
export let stride: u32 = 0;
/** Maximum number of holders. */
export let maxHolders: u32 = 0;

/** u32 per holder: its first alias. */
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

/** Adjusts the number of blocks that a holder has. */
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

/** Total blocks of all holders of this kind. */
// @ts-ignore: decorator
@inline
export function heldByKind(kind: u32): f64 {
  return stat(STORED_BLOCKS + (<usize>kind << 3));
}
