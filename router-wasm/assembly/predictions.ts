// Predicted caches: a worker is predicted to hold the prompts sent to it, each for some time after it was last sent,
// and no more than the worker's capacity; beyond that, the least recently sent are dropped. A prediction covers
// blocks of one run, without an engine hash. It is in the engine table like an alias (aliases.ts), with the run's
// address as its hash. 32 bytes:
//
//    0  u64  run        8  u32  holder        12  u32  mask of the blocks
//   16  u32  the worker's previous prediction   20  u32  and the next one, in the order in which they were last made
//   24  u32  tick at which it expires
//
// Time is measured in ticks, which the host derives from its clock.
import { makeNewest } from "./age";
import { blockAfter } from "./children";
import { engineTableReady, findAlias, insertAlias, removeAlias } from "./engine-table";
import { heldMask } from "./holders";
import { appendNameless, holdNameless, isHeld, dropHeld, makeRoom, newPlace, pin, runForNew } from "./holding";
import { held, heldByKind, holderOf, PREDICTED } from "./kinds";
import { poolInit, poolFree, poolReady, poolTake, take } from "./memory";
import { reservePayload } from "./payload";
import { blockOf, firstBits, lengthOf, localOf, localsOf, PARENT, placeOf, runOf } from "./run";
import { numberOf } from "./snapshot";
import { workerCount } from "./workers";

const POOL: usize = memory.data(16, 4);
const HOLDER: usize = 8;
const MASK: usize = 12;
const OLDER: usize = 16;
const NEWER: usize = 20;
const END: usize = 24;

/** u32 per worker. */
let oldest: usize = 0;
let newest: usize = 0;
let lifetimes: usize = 0;
/** f64 per worker: maximum blocks. */
let capacities: usize = 0;

let now: u32 = 0;

export function initPredictions(maxWorkers: u32): bool {
  poolInit(POOL, 32, 64);
  oldest = take(<usize>maxWorkers << 2);
  newest = take(<usize>maxWorkers << 2);
  lifetimes = take(<usize>maxWorkers << 2);
  capacities = take(<usize>maxWorkers << 3);
  return capacities != 0;
}

// @ts-ignore: decorator
@inline
function at(array: usize, w: u32): u32 {
  return load<u32>(array + (<usize>w << 2));
}

// @ts-ignore: decorator
@inline
function set(array: usize, w: u32, value: u32): void {
  store<u32>(array + (<usize>w << 2), value);
}

/**
 * Sets how many ticks predictions for the worker last, existing ones at most that long from now, and how many blocks
 * they may cover. 0 ticks disables predictions.
 */
export function setPredictions(w: u32, lifetime: u32, capacity: f64): void {
  set(lifetimes, w, lifetime);
  store<f64>(capacities + (<usize>w << 3), capacity);
  if (!lifetime) return forgetPredictions(w);
  // Keeps predictions in order of expiry.
  for (let each = at(oldest, w); each; each = load<u32>(each, NEWER)) {
    store<u32>(each, min(load<u32>(each, END), now + lifetime), END);
  }
  shrink(w);
}

/** Sets the current tick, and drops expired predictions. Time does not go back. */
export function passTime(tick: u32): void {
  if (tick <= now) return;
  now = tick;
  if (heldByKind(PREDICTED) == 0) return;
  for (let w: u32 = 0; w < workerCount; w++) {
    for (let first = at(oldest, w); first && load<u32>(first, END) <= now; first = at(oldest, w)) drop(w, first);
  }
}

/**
 * Predicts that the worker will hold the prompt's first blocks, which have these local hashes, for this many ticks, or
 * its own lifetime if that is shorter. Returns for how many; fewer than all if there is no room.
 */
export function predict(w: u32, locals: usize, blocks: u32, ticks: u32 = u32.MAX_VALUE): u32 {
  const lifetime = min(at(lifetimes, w), ticks);
  if (!lifetime || !blocks) return 0;
  const h = holderOf(PREDICTED, w);
  let last: u32 = 0;
  let done: u32 = 0;
  while (done < blocks) {
    const some = extend(h, last, locals + (<usize>done << 3), blocks - done);
    if (!some) break;
    last = lastBlock;
    done += some;
  }
  note(w, h, last, now + lifetime);
  pin(0);
  shrink(w);
  return done;
}

let lastBlock: u32 = 0;

/** Holds the leading blocks after `after`, as many as are in one run. Returns how many; 0 if there is no room. */
function extend(h: u32, after: u32, locals: usize, blocks: u32): u32 {
  if (!makeRoom(false, false) || !poolReady(POOL, 1)) return 0;
  const local = load<u64>(locals);
  const next = blockAfter(after, local);
  if (!next) return append(h, after, locals, blocks);
  const run = runOf(next);
  const first = placeOf(next);
  let place = first;
  pin(run);
  makeNewest(run);
  if (isHeld(run, first)) {
    const end = min(lengthOf(run), first + blocks);
    place++;
    while (place < end && isHeld(run, place) && localOf(run, place) == load<u64>(locals + (place - first << 3))) place++;
  } else {
    if (!makeRoom(true, false)) return 0;
    place++;
  }
  holdNameless(h, run, firstBits(place - first) << first);
  lastBlock = blockOf(run, place - 1);
  return place - first;
}

/** Adds new blocks. */
function append(h: u32, after: u32, locals: usize, blocks: u32): u32 {
  const run = runForNew(h, after, load<u64>(locals));
  if (!run) return 0;
  const place = newPlace;
  const added = appendNameless(h, run, place, locals, blocks);
  pin(run);
  lastBlock = blockOf(run, place + added - 1);
  return added;
}

/**
 * Records the predictions up to a block, from the last run to the first, so that the first is the newest. Those that
 * last longer already stay as they are.
 */
function note(w: u32, h: u32, block: u32, end: u32): void {
  while (block) {
    const run = runOf(block);
    let prediction = findAlias(run, h);
    let until = end;
    if (prediction) {
      until = max(end, load<u32>(prediction, END));
      unlink(w, prediction);
    } else {
      if (!poolReady(POOL, 1) || !engineTableReady(1)) {
        // The blocks are already held, and without a prediction they would never be dropped.
        block = load<u32>(run, PARENT);
        dropHeld(h, run, heldMask(run, h));
        continue;
      }
      prediction = poolTake(POOL);
      store<u64>(prediction, run);
      store<u32>(prediction, h, HOLDER);
      insertAlias(prediction);
    }
    store<u32>(prediction, heldMask(run, h), MASK);
    store<u32>(prediction, until, END);
    linkInOrder(w, prediction);
    block = load<u32>(run, PARENT);
  }
}

/** Drops the oldest predictions until the rest fit the capacity. */
function shrink(w: u32): void {
  const capacity = load<f64>(capacities + (<usize>w << 3));
  while (held(holderOf(PREDICTED, w)) > capacity) drop(w, at(oldest, w));
}

/** Drops a prediction and its blocks. */
function drop(w: u32, prediction: usize): void {
  const run = <usize>load<u64>(prediction);
  const mask = load<u32>(prediction, MASK);
  freePrediction(w, prediction);
  dropHeld(holderOf(PREDICTED, w), run, mask);
}

function freePrediction(w: u32, prediction: usize): void {
  removeAlias(prediction);
  unlink(w, prediction);
  poolFree(POOL, prediction);
}

/** Drops predictions for these blocks of the run, because the worker has removed them. */
export function unpredict(w: u32, run: usize, bits: u32): void {
  const h = holderOf(PREDICTED, w);
  if (!held(h)) return;
  const prediction = findAlias(run, h);
  if (!prediction) return;
  const mask = load<u32>(prediction, MASK);
  if (!(mask & bits)) return;
  if (mask & ~bits) store<u32>(prediction, mask & ~bits, MASK);
  else freePrediction(w, prediction);
  dropHeld(h, run, mask & bits);
}

/** Drops the prediction for a run that is being evicted, without changing its holders. */
export function dropPrediction(w: u32, run: usize): void {
  const prediction = findAlias(run, holderOf(PREDICTED, w));
  if (prediction) freePrediction(w, prediction);
}

export function forgetPredictions(w: u32): void {
  for (let first = at(oldest, w); first; first = at(oldest, w)) drop(w, first);
}

/** Makes it the newest of those that do not last longer: of all, unless it is another router's. */
function linkInOrder(w: u32, prediction: usize): void {
  let before = at(newest, w);
  while (before && load<u32>(before, END) > load<u32>(prediction, END)) before = load<u32>(before, OLDER);
  const after = before ? load<u32>(before, NEWER) : at(oldest, w);
  store<u32>(prediction, before, OLDER);
  store<u32>(prediction, after, NEWER);
  if (before) store<u32>(before, <u32>prediction, NEWER);
  else set(oldest, w, <u32>prediction);
  if (after) store<u32>(after, <u32>prediction, OLDER);
  else set(newest, w, <u32>prediction);
}

function unlink(w: u32, prediction: usize): void {
  const older = load<u32>(prediction, OLDER);
  const newer = load<u32>(prediction, NEWER);
  if (older) store<u32>(older, newer, NEWER);
  else set(oldest, w, newer);
  if (newer) store<u32>(newer, older, OLDER);
  else set(newest, w, older);
}

/** Where `copyPredictions` has written. */
export let copiedPredictions: usize = 0;
const COPY_HEAD: usize = 16;

/**
 * Copies the worker's newest predictions, of at most this many blocks, the least recently made first; each as u32 run,
 * u32 parent block (both as in snapshots), u32 ticks left, u32 blocks, u64 their local hashes. Returns the bytes; 0 if
 * there is no memory.
 */
export function copyPredictions(w: u32, most: u32): u32 {
  let blocks: u32 = 0;
  let bytes: usize = 0;
  let first: u32 = 0;
  for (let each = at(newest, w); each; each = load<u32>(each, OLDER)) {
    const length = leadingBlocks(each);
    if (blocks + length > most) break;
    blocks += length;
    bytes += COPY_HEAD + (<usize>length << 3);
    first = each;
  }
  copiedPredictions = bytes ? reservePayload(<u32>bytes) : 0;
  if (!copiedPredictions) return 0;
  let out = copiedPredictions;
  for (let each = first; each; each = load<u32>(each, NEWER)) {
    const run = <usize>load<u64>(each);
    const parent = load<u32>(run, PARENT);
    const length = leadingBlocks(each);
    store<u32>(out, numberOf(run));
    store<u32>(out, parent ? (numberOf(runOf(parent)) << 5) | placeOf(parent) : 0, 4);
    store<u32>(out, load<u32>(each, END) - min(now, load<u32>(each, END)), 8);
    store<u32>(out, length, 12);
    memory.copy(out + COPY_HEAD, localsOf(run), <usize>length << 3);
    out += COPY_HEAD + (<usize>length << 3);
  }
  return <u32>bytes;
}

/** Predicted blocks at the start of the run; those after a gap are of no use. */
// @ts-ignore: decorator
@inline
function leadingBlocks(prediction: usize): u32 {
  return <u32>ctz(~load<u32>(prediction, MASK));
}
