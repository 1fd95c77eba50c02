// What a worker is predicted to hold: the prompts that it was sent, each for some time from when it was last sent, and
// no more than the worker has room for; what is over, the least recently sent first. A prediction covers the blocks
// of one run, under no engine hash. It lies in the engine table as an alias does (aliases.ts), under the run's
// address for a hash. 32 bytes:
//
//    0  u64  run        8  u32  holder        12  u32  mask of the blocks
//   16  u32  the worker's prediction before it   20  u32  and after it, by the time they were last made
//   24  u32  tick at which it ends
//
// Time counts in ticks, which the host makes of its clock.
import { makeNewest } from "./age";
import { blockAfter } from "./children";
import { engineTableReady, findAlias, insertAlias, removeAlias } from "./engine-table";
import { heldMask } from "./holders";
import { appendNameless, holdNameless, isHeld, letGo, makeRoom, newPlace, pin, runForNew } from "./holding";
import { held, heldByKind, holderOf, PREDICTED } from "./kinds";
import { poolInit, poolLeave, poolReady, poolTake, take } from "./memory";
import { blockOf, firstBits, lengthOf, localOf, PARENT, placeOf, runOf } from "./run";
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
/** f64 per worker: blocks at most. */
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
 * How long predictions of the worker last, in ticks, those made before no longer than that from now; and how many
 * blocks there may be. No ticks: there are none.
 */
export function setPredictions(w: u32, lifetime: u32, capacity: f64): void {
  set(lifetimes, w, lifetime);
  store<f64>(capacities + (<usize>w << 3), capacity);
  if (!lifetime) return forgetPredictions(w);
  // So that those made before end before those made from now on.
  for (let each = at(oldest, w); each; each = load<u32>(each, NEWER)) {
    store<u32>(each, min(load<u32>(each, END), now + lifetime), END);
  }
  shrink(w);
}

/** It is this tick now: what ends at it or before is over. Time does not go back. */
export function passTime(tick: u32): void {
  if (tick <= now) return;
  now = tick;
  if (heldByKind(PREDICTED) == 0) return;
  for (let w: u32 = 0; w < workerCount; w++) {
    for (let first = at(oldest, w); first && load<u32>(first, END) <= now; first = at(oldest, w)) drop(w, first);
  }
}

/**
 * The worker will hold the prompt's first blocks, whose local hashes these are. Returns how many of them it is now
 * predicted to hold; fewer than all where there is no room.
 */
export function predict(w: u32, locals: usize, blocks: u32): u32 {
  if (!at(lifetimes, w) || !blocks) return 0;
  const h = holderOf(PREDICTED, w);
  let last: u32 = 0;
  let done: u32 = 0;
  while (done < blocks) {
    const some = extend(h, last, locals + (<usize>done << 3), blocks - done);
    if (!some) break;
    last = lastBlock;
    done += some;
  }
  note(w, h, last);
  pin(0);
  shrink(w);
  return done;
}

let lastBlock: u32 = 0;

/** Holds the first of these blocks, which follow `after`, as many as lie in one run; 0 when there is no room. */
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

/** Notes what is predicted up to a block, from there to the start, so that the start is newest. */
function note(w: u32, h: u32, block: u32): void {
  while (block) {
    const run = runOf(block);
    let prediction = findAlias(run, h);
    if (prediction) {
      unlink(w, prediction);
    } else {
      if (!poolReady(POOL, 1) || !engineTableReady(1)) {
        // The blocks are held already, and without a prediction they would never be let go.
        block = load<u32>(run, PARENT);
        letGo(h, run, heldMask(run, h));
        continue;
      }
      prediction = poolTake(POOL);
      store<u64>(prediction, run);
      store<u32>(prediction, h, HOLDER);
      insertAlias(prediction);
    }
    store<u32>(prediction, heldMask(run, h), MASK);
    store<u32>(prediction, now + at(lifetimes, w), END);
    linkNewest(w, prediction);
    block = load<u32>(run, PARENT);
  }
}

/** Drops the oldest until the worker has room for the rest. */
function shrink(w: u32): void {
  const capacity = load<f64>(capacities + (<usize>w << 3));
  while (held(holderOf(PREDICTED, w)) > capacity) drop(w, at(oldest, w));
}

/** Ends a prediction. */
function drop(w: u32, prediction: usize): void {
  const run = <usize>load<u64>(prediction);
  const mask = load<u32>(prediction, MASK);
  leave(w, prediction);
  letGo(holderOf(PREDICTED, w), run, mask);
}

function leave(w: u32, prediction: usize): void {
  removeAlias(prediction);
  unlink(w, prediction);
  poolLeave(POOL, prediction);
}

/** The worker does not hold these blocks of the run, nor will it because of what it was sent before. */
export function unpredict(w: u32, run: usize, bits: u32): void {
  const h = holderOf(PREDICTED, w);
  if (!held(h)) return;
  const prediction = findAlias(run, h);
  if (!prediction) return;
  const mask = load<u32>(prediction, MASK);
  if (!(mask & bits)) return;
  if (mask & ~bits) store<u32>(prediction, mask & ~bits, MASK);
  else leave(w, prediction);
  letGo(h, run, mask & bits);
}

/** The run is being forgotten: takes away what the worker is predicted to hold of it, without letting go of blocks. */
export function dropPrediction(w: u32, run: usize): void {
  const prediction = findAlias(run, holderOf(PREDICTED, w));
  if (prediction) leave(w, prediction);
}

export function forgetPredictions(w: u32): void {
  for (let first = at(oldest, w); first; first = at(oldest, w)) drop(w, first);
}

function linkNewest(w: u32, prediction: usize): void {
  const before = at(newest, w);
  store<u32>(prediction, before, OLDER);
  store<u32>(prediction, 0, NEWER);
  if (before) store<u32>(before, <u32>prediction, NEWER);
  else set(oldest, w, <u32>prediction);
  set(newest, w, <u32>prediction);
}

function unlink(w: u32, prediction: usize): void {
  const older = load<u32>(prediction, OLDER);
  const newer = load<u32>(prediction, NEWER);
  if (older) store<u32>(older, newer, NEWER);
  else set(oldest, w, newer);
  if (newer) store<u32>(newer, older, OLDER);
  else set(newest, w, older);
}
