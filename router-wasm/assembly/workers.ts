// The state of each worker, in one array per property, so that pricing reads two workers at a time.
import { take } from "./memory";

/** f64: 0 for an eligible worker, +Infinity for any other index. */
export let gates: usize = 0;
/** f64: booked prompt tokens whose prefill is not complete. */
export let prefillTokens: usize = 0;
/** f64: blocks of booked requests. */
export let decodeBlocks: usize = 0;
/** f64: booked requests. */
export let requests: usize = 0;
/** f64: `requests` · 2³² + blocks held. Ties are broken by the lowest. */
export let ranks: usize = 0;
/** u32: how many workers have had this index before, by which a booking recognises that its worker has left. */
export let epochs: usize = 0;
/** u32: workers excluded from one decision. */
let excluded: usize = 0;
let excludedCount: u32 = 0;
/** u8: 1 while the worker exists. */
let present: usize = 0;

let maxWorkers: u32 = 0;
/** One more than the highest index in use. */
export let workerCount: u32 = 0;
export let presentWorkers: u32 = 0;

export function initWorkers(limit: u32): bool {
  maxWorkers = limit;
  // Pricing reads pairs, so an odd last worker needs a neighbour.
  const even = (limit + 1) & ~1;
  gates = take(even * 8);
  prefillTokens = take(even * 8);
  decodeBlocks = take(even * 8);
  requests = take(even * 8);
  ranks = take(even * 8);
  epochs = take(limit * 4);
  excluded = take(limit * 4);
  present = take(limit);
  if (!present) return false;
  for (let w: u32 = 0; w < even; w++) store<f64>(gates + (w << 3), Infinity);
  return true;
}

export function workerExists(w: u32): bool {
  return w < workerCount && load<u8>(present + w) != 0;
}

/** Allocates the lowest free index; −1 at the limit. */
export function allocateWorker(): i32 {
  let w: u32 = 0;
  while (w < workerCount && load<u8>(present + w)) w++;
  if (w == maxWorkers) return -1;
  if (w == workerCount) workerCount++;
  store<u8>(present + w, 1);
  store<f64>(gates + (w << 3), 0);
  presentWorkers++;
  return w;
}

/** The worker's blocks must already have been removed. */
export function freeWorker(w: u32): void {
  store<u8>(present + w, 0);
  store<f64>(gates + (w << 3), Infinity);
  store<f64>(prefillTokens + (w << 3), 0);
  store<f64>(decodeBlocks + (w << 3), 0);
  store<f64>(requests + (w << 3), 0);
  store<f64>(ranks + (w << 3), 0);
  store<u32>(epochs + (w << 2), load<u32>(epochs + (w << 2)) + 1);
  presentWorkers--;
  while (workerCount > 0 && !load<u8>(present + workerCount - 1)) workerCount--;
}

export function setGate(w: u32, open: bool): void {
  store<f64>(gates + (w << 3), open ? 0 : Infinity);
}

/** Shuts an open gate until `reopenExcluded`. */
export function excludeOnce(w: u32): void {
  if (!workerExists(w) || load<f64>(gates + (w << 3)) != 0) return;
  setGate(w, false);
  store<u32>(excluded + (excludedCount++ << 2), w);
}

export function reopenExcluded(): void {
  while (excludedCount) setGate(load<u32>(excluded + (--excludedCount << 2)), true);
}

// @ts-ignore: decorator
@inline
export function addStored(w: u32, by: f64): void {
  add(ranks, w, by);
}

// @ts-ignore: decorator
@inline
export function addRequests(w: u32, by: f64): void {
  add(requests, w, by);
  add(ranks, w, by * 4294967296);
}

/** Adds to the worker's value in an f64 array. */
// @ts-ignore: decorator
@inline
export function add(array: usize, w: u32, by: f64): void {
  const at = array + (w << 3);
  store<f64>(at, load<f64>(at) + by);
}
