// Bit sets of workers that hold or are predicted to hold the same blocks of a run: all of them, or as many of the first.
// Runs that follow each other mostly have the same holders, and then they share the bit sets: so a walk sees at once that
// nothing changes from one to the next. Sets that several runs share are never changed, but copied first. Bytes:
//
//    0  u32  holders in them             4  u32  how many of these are under hashes of their own
//    8  u32  how often they are used    12  u32  sum of the holders' names, which tells most sets apart at once
//   16  the workers under shared hashes, and those predicted; then the workers under hashes of their own
import { clearBit, hasBit, setBit } from "./bit-set";
import { stride } from "./kinds";
import { poolInit, poolLeave, poolReady, poolTake, take } from "./memory";
import { PARENT, runOf, WIDE } from "./run";

const OWN: usize = 4;
const USES: usize = 8;
const SUM: usize = 12;
export const SETS: usize = 16;
/** Bytes for the workers in one bit set, a multiple of 16. */
export let strideBytes: usize = 0;
export let ownSets: usize = 0;
export let setsBytes: usize = 0;
/** Sets with nobody in them. */
export let noSets: usize = 0;

const POOL: usize = memory.data(16, 4);

/** Call `initKinds` before. False when there is not enough memory. */
export function initSets(): bool {
  strideBytes = <usize>stride >> 3;
  ownSets = strideBytes << 1;
  setsBytes = SETS + ownSets + strideBytes;
  poolInit(POOL, <u32>((setsBytes + 63) & ~63), 4);
  noSets = take(setsBytes);
  return noSets != 0;
}

/** Sees to it that one holder may leave sets and begin others. */
export function setsReady(): bool {
  return poolReady(POOL, 2);
}

/** Which of the sets a holder of these blocks belongs in, whether there are any or not: 1 or 2; 0: in none. */
export function kindFor(w: u32, mask: u32, own: u32): u32 {
  if (w >= stride << 1 || !mask) return 0;
  if (!own) return 1;
  return own == mask && w < stride ? 2 : 0;
}

/** 0: the worker is in neither set; 1: under shared hashes; 2: under its own. */
// @ts-ignore: decorator
@inline
export function kindIn(sets: usize, w: u32): u32 {
  if (w >= stride << 1) return 0;
  if (hasBit(sets + SETS, w)) return 1;
  return w < stride && hasBit(sets + SETS + ownSets, w) ? 2 : 0;
}

/** Whether some are under hashes of their own. Seldom, and then that set need not be read. */
// @ts-ignore: decorator
@inline
export function hasOwn(sets: usize): bool {
  return load<u32>(sets, OWN) != 0;
}

/** Whether the worker is in the sets, and nobody else. */
export function isAloneIn(sets: usize, w: u32): bool {
  return load<u32>(sets) == 1 && kindIn(sets, w) != 0;
}

/** Calls `visit` for all in the sets. */
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

// The last change of sets that were shared: when the next run of a sequence has those, too, it gets the same ones.
let changedFrom: usize = 0;
let changedTo: usize = 0;
let changedHolder: u32 = 0;
let changedKinds: u32 = 0;

/**
 * Moves a holder from one of the sets whose address is at `place` to another; kind 0 is none. There are others at
 * `place` then, and 0 when nobody is left in them.
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
  leaveSets(sets);
}

/** Other sets are at `place` from now on. */
function useSets(place: usize, sets: usize): void {
  const before = <usize>load<u32>(place);
  store<u32>(sets, load<u32>(sets, USES) + 1, USES);
  store<u32>(place, <u32>sets);
  leaveSets(before);
}

/** They are used once less. */
export function leaveSets(sets: usize): void {
  const uses = load<u32>(sets, USES) - 1;
  store<u32>(sets, uses, USES);
  if (uses) return;
  if (sets == changedFrom || sets == changedTo) changedFrom = 0;
  poolLeave(POOL, sets);
}

/** The run shares the sets of the one that it follows, if these have the same holders. */
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

/** Sets that nobody is in yet, for one use. Call `setsReady` before. */
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
