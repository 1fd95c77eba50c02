// Bit sets of workers that hold, or are predicted to hold, the same blocks of a run: all of them or the same leading
// ones. Consecutive runs mostly have the same holders and then share bit sets, so that a walk sees at once that the
// holders do not change. Shared sets are copied on write. Layout:
//
//    0  u32  number of holders          4  u32  how many of these hold under their own hashes
//    8  u32  reference count           12  u32  sum of the holders' hashes, which quickly distinguishes most sets
//   16  the workers under shared hashes, and predicted ones; then the workers under their own hashes
import { clearBit, hasBit, setBit } from "./bit-set";
import { stride } from "./kinds";
import { poolInit, poolFree, poolReady, poolTake, take } from "./memory";
import { PARENT, runOf, WIDE } from "./run";

const OWN: usize = 4;
const USES: usize = 8;
const SUM: usize = 12;
export const SETS: usize = 16;
/** Bytes of a bit set with one bit per worker; a multiple of 16. */
export let strideBytes: usize = 0;
export let ownSets: usize = 0;
export let setsBytes: usize = 0;
/** Empty sets. */
export let noSets: usize = 0;

const POOL: usize = memory.data(16, 4);

/** Call `initKinds` first. False if there is not enough memory. */
export function initSets(): bool {
  strideBytes = <usize>stride >> 3;
  ownSets = strideBytes << 1;
  setsBytes = SETS + ownSets + strideBytes;
  poolInit(POOL, <u32>((setsBytes + 63) & ~63), 4);
  noSets = take(setsBytes);
  return noSets != 0;
}

/** Reserves the memory for a holder to move from some sets to others. */
export function setsReady(): bool {
  return poolReady(POOL, 2);
}

/** The kind of set that a holder of these blocks belongs in, if sets exist: 1 or 2; 0 for none. */
export function kindFor(w: u32, mask: u32, own: u32): u32 {
  if (w >= stride << 1 || !mask) return 0;
  if (!own) return 1;
  return own == mask && w < stride ? 2 : 0;
}

/** The kind of the worker: 1 if in the set for shared hashes, 2 if in that for own hashes, 0 if in neither. */
// @ts-ignore: decorator
@inline
export function kindIn(sets: usize, w: u32): u32 {
  if (w >= stride << 1) return 0;
  if (hasBit(sets + SETS, w)) return 1;
  return w < stride && hasBit(sets + SETS + ownSets, w) ? 2 : 0;
}

/** Whether any are under their own hashes. Usually not, and then that set need not be read. */
// @ts-ignore: decorator
@inline
export function hasOwn(sets: usize): bool {
  return load<u32>(sets, OWN) != 0;
}

/** Whether the worker is the only one in the sets. */
export function isAloneIn(sets: usize, w: u32): bool {
  return load<u32>(sets) == 1 && kindIn(sets, w) != 0;
}

/** Calls `visit` for each worker in the sets. */
export function eachIn(
  sets: usize,
  run: usize,
  mask: u32,
  visit: (run: usize, mask: u32, own: u32, w: u32) => void,
): void {
  for (let i: usize = 0; i < ownSets + strideBytes; i += 8) {
    const own = i >= ownSets;
    for (let bits = load<u64>(sets + SETS + i); bits; bits &= bits - 1) {
      visit(run, mask, own ? mask : 0, <u32>(((own ? i - ownSets : i) << 3) + <usize>ctz(bits)));
    }
  }
}

// The last change of shared sets. If the next run of a sequence has the same old sets, it gets the same new ones.
let changedFrom: usize = 0;
let changedTo: usize = 0;
let changedHolder: u32 = 0;
let changedKinds: u32 = 0;

/**
 * Moves a holder from one of the sets at `place` to another; kind 0 is none. Stores the address of the resulting sets
 * at `place`; 0 if they are empty.
 */
export function changeSets(place: usize, w: u32, was: u32, is: u32): void {
  const before = <usize>load<u32>(place);
  const kinds = (was << 2) | is;
  if (before == changedFrom && w == changedHolder && kinds == changedKinds) return useSets(place, changedTo);
  let sets = before;
  if (load<u32>(before, USES) > 1) {
    sets = poolTake(POOL);
    memory.copy(sets, before, setsBytes);
    store<u32>(sets, 0, USES);
    useSets(place, sets);
    changedFrom = before;
    changedTo = sets;
    changedHolder = w;
    changedKinds = kinds;
  } else if (sets == changedFrom || sets == changedTo) {
    changedFrom = 0;
  }
  if (was) removeFrom(sets, w, was);
  if (is) addTo(sets, w, is);
  if (load<u32>(sets)) return;
  store<u32>(place, 0);
  releaseSets(sets);
}

/** Stores other sets at `place`. */
function useSets(place: usize, sets: usize): void {
  const before = <usize>load<u32>(place);
  store<u32>(sets, load<u32>(sets, USES) + 1, USES);
  store<u32>(place, <u32>sets);
  releaseSets(before);
}

/** Decrements the reference count. */
export function releaseSets(sets: usize): void {
  const uses = load<u32>(sets, USES) - 1;
  store<u32>(sets, uses, USES);
  if (uses) return;
  if (sets == changedFrom || sets == changedTo) changedFrom = 0;
  poolFree(POOL, sets);
}

/** Makes the run share the sets of its parent run, if these have the same holders. */
export function shareWithParent(run: usize): void {
  const sets = <usize>load<u32>(run, WIDE);
  const parent = load<u32>(run, PARENT);
  if (!parent) return;
  const others = <usize>load<u32>(runOf(parent), WIDE);
  if (others && others != sets && areSame(sets, others)) useSets(run + WIDE, others);
}

function areSame(sets: usize, others: usize): bool {
  if (load<u64>(sets) != load<u64>(others) || load<u32>(sets, SUM) != load<u32>(others, SUM)) return false;
  for (let i = SETS; i < setsBytes; i += 16) {
    if (v128.any_true(v128.xor(v128.load(sets + i), v128.load(others + i)))) return false;
  }
  return true;
}

/** New empty sets with a reference count of 1. Call `setsReady` first. */
export function newSets(): usize {
  const sets = poolTake(POOL);
  memory.fill(sets, 0, setsBytes);
  store<u32>(sets, 1, USES);
  return sets;
}

export function addTo(sets: usize, w: u32, kind: u32): void {
  setBit(setOf(sets, kind), w);
  count(sets, kind, 1, nameOf(w, kind));
}

function removeFrom(sets: usize, w: u32, kind: u32): void {
  clearBit(setOf(sets, kind), w);
  count(sets, kind, -1, -nameOf(w, kind));
}

// @ts-ignore: decorator
@inline
function setOf(sets: usize, kind: u32): usize {
  return sets + SETS + (kind == 2 ? ownSets : 0);
}

// @ts-ignore: decorator
@inline
function nameOf(w: u32, kind: u32): u32 {
  return ((w << 2) | kind) * 0x9e3779b1;
}

// @ts-ignore: decorator
@inline
function count(sets: usize, kind: u32, by: u32, name: u32): void {
  store<u32>(sets, load<u32>(sets) + by);
  if (kind == 2) store<u32>(sets, load<u32>(sets, OWN) + by, OWN);
  store<u32>(sets, load<u32>(sets, SUM) + name, SUM);
}
