// The load of each request in flight on its worker. A booking's handle is (generation, slot) in 31 bits, so that a
// stale handle does not free the load of the request that has the slot now. 32 bytes per slot:
//
//    0  f64  prefill tokens      8  f64  decode blocks
//   16  u32  worker             20  u32  the worker's epoch
//   24  u32  generation         28  u32  next free slot + 1, or IN_USE
import { take } from "./memory";
import { BOOKINGS, count, STALE_BOOKINGS, UNBOOKED_DECISIONS } from "./stats";
import { add, addRequests, decodeBlocks, epochs, prefillTokens } from "./workers";

const DECODE: usize = 8;
const WORKER: usize = 16;
const EPOCH: usize = 20;
const GENERATION: usize = 24;
const NEXT_FREE: usize = 28;
const IN_USE: u32 = 0xffffffff;
/** How many free slots to accumulate before one is reused, so that handles repeat late. */
const REST: u32 = 1024;

let slots: usize = 0;
let maxBookings: u32 = 0;
let slotBits: u32 = 0;
/** Slots used at least once. */
let touched: u32 = 0;
// Queue of free slots, as slot number + 1.
let firstFree: u32 = 0;
let lastFree: u32 = 0;
let free: u32 = 0;

export function initBookings(limit: u32): bool {
  maxBookings = limit;
  slotBits = 32 - <u32>clz(max(limit - 1, 1));
  slots = take(<usize>limit << 5);
  return slots != 0;
}

/** Bytes of slots that have never been used. */
export function untouchedBookingBytes(): f64 {
  return <f64>(maxBookings - touched) * 32;
}

/** Books a request; −1 at the limit. */
export function book(w: u32, tokens: f64, blocks: f64): i32 {
  let index: u32;
  if (touched < maxBookings && free <= REST) {
    index = touched++;
  } else if (free) {
    index = firstFree - 1;
    firstFree = load<u32>(slots + (index << 5), NEXT_FREE);
    free--;
  } else {
    count(UNBOOKED_DECISIONS);
    return -1;
  }
  const slot = slots + (index << 5);
  const generation = (load<u32>(slot, GENERATION) + 1) & ((<u32>1 << (31 - slotBits)) - 1);
  store<f64>(slot, tokens);
  store<f64>(slot, blocks, DECODE);
  store<u32>(slot, w, WORKER);
  store<u32>(slot, load<u32>(epochs + (w << 2)), EPOCH);
  store<u32>(slot, generation, GENERATION);
  store<u32>(slot, IN_USE, NEXT_FREE);
  add(prefillTokens, w, tokens);
  add(decodeBlocks, w, blocks);
  addRequests(w, 1);
  count(BOOKINGS);
  return (generation << slotBits) | index;
}

/** The request's prefill is complete. */
export function dropPrefill(handle: u32): void {
  const slot = slotOf(handle);
  if (!slot) return;
  if (workerIsThere(slot)) add(prefillTokens, load<u32>(slot, WORKER), -load<f64>(slot));
  store<f64>(slot, 0);
}

/** The request uses more blocks. */
export function growDecode(handle: u32, blocks: f64): void {
  const slot = slotOf(handle);
  if (!slot) return;
  if (workerIsThere(slot)) add(decodeBlocks, load<u32>(slot, WORKER), blocks);
  store<f64>(slot, load<f64>(slot, DECODE) + blocks, DECODE);
}

/** The request has ended. */
export function unbook(handle: u32): void {
  const slot = slotOf(handle);
  if (!slot) return;
  if (workerIsThere(slot)) {
    const w = load<u32>(slot, WORKER);
    add(prefillTokens, w, -load<f64>(slot));
    add(decodeBlocks, w, -load<f64>(slot, DECODE));
    addRequests(w, -1);
  }
  store<u32>(slot, 0, NEXT_FREE);
  const number = <u32>((slot - slots) >> 5) + 1;
  if (free) store<u32>(slots + (<usize>(lastFree - 1) << 5), number, NEXT_FREE);
  else firstFree = number;
  lastFree = number;
  free++;
  count(BOOKINGS, -1);
}

/** Adds load without a booking. */
export function addUnbooked(w: u32, tokens: f64, blocks: f64, requests: f64): void {
  add(prefillTokens, w, tokens);
  add(decodeBlocks, w, blocks);
  addRequests(w, requests);
}

/** The slot of a valid handle; 0 for a stale one, which is counted. */
function slotOf(handle: u32): usize {
  const index = handle & ((<u32>1 << slotBits) - 1);
  const slot = slots + (index << 5);
  if (
    <i32>handle >= 0 &&
    index < touched &&
    load<u32>(slot, NEXT_FREE) == IN_USE &&
    load<u32>(slot, GENERATION) == handle >> slotBits
  ) {
    return slot;
  }
  count(STALE_BOOKINGS);
  return 0;
}

function workerIsThere(slot: usize): bool {
  return load<u32>(epochs + (load<u32>(slot, WORKER) << 2)) == load<u32>(slot, EPOCH);
}
