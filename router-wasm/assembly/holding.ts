// The only place that changes which worker holds which block: an engine hash of a worker starts or stops naming a
// block. A worker holds a block as long as any of its hashes names it.
import { addNewest, oldest, makeNewest, removeFromAge } from "./age";
import {
  addAlias,
  aliasBlock,
  aliasesReady,
  aliasOf,
  anyAliasOf,
  dropAlias,
  dropAliases,
  hasAlias,
} from "./aliases";
import { linkChild, unlinkChild } from "./children";
import { digestOf } from "./digest";
import { engineTableReady, findBlock, insertBlock, insertNewBlock, removeBlock, touchBuckets } from "./engine-table";
import { anyMask, clearHolders, eachHolder, heldMask, holdersReady, onlyHolder, ownMask, setHolder, takeFromSlot } from "./holders";
import { countHeld, DISK, held as heldBy, holderOf, HOST, kindOf, PREDICTED, stride } from "./kinds";
import { dropPrediction, forgetPredictions, unpredict } from "./predictions";
import {
  blockOf,
  BLOCKS_PER_RUN,
  CHILDREN,
  DIGEST,
  eachRun,
  engineOf,
  enginesOf,
  FIRST,
  firstBits,
  FLAGS,
  initRuns,
  freeRun,
  LENGTH,
  lengthOf,
  linksOf,
  localOf,
  localsOf,
  newRun,
  PARENT,
  placeOf,
  runOf,
  runsReady,
  SEVERAL_HASHES,
  SHARED,
  WIDE,
} from "./run";
import { preserve } from "./snapshot";
import { BLOCKS, count, FORGOTTEN_BLOCKS, RUNS, stat } from "./stats";

/** Limits of blocks and runs. */
let maxBlocks: f64 = 0;
let maxRuns: f64 = 0;

/** The run that an event is being written to, which must stay even without holders. */
export let pinnedRun: usize = 0;

/** Allocates the runs; false if there is not enough memory. */
export function initHolding(blocks: u32, runs: u32): bool {
  maxBlocks = blocks;
  maxRuns = runs;
  return initRuns(runs);
}

/** Pins another run (0: none), and settles the one pinned before, which may no longer be needed. */
export function pin(run: usize): void {
  const before = pinnedRun;
  pinnedRun = run;
  if (before && before != run) settle(before);
}

/** The block that the worker's hash names; 0 if none. */
export function blockNamed(w: u32, hash: u64): u32 {
  const block = findBlock(hash);
  if (block && holdsShared(w, block)) return block;
  const alias = aliasOf(w, hash);
  return alias ? aliasBlock(alias) : 0;
}

/** Whether the worker holds the block under the hash in the run. */
export function holdsShared(w: u32, block: u32): bool {
  const run = runOf(block);
  const bit = <u32>1 << placeOf(block);
  return (heldMask(run, w) & bit) != 0 && (ownMask(run, w) & bit) == 0;
}

/** Whether the block has a holder. */
export function isHeld(run: usize, place: u32): bool {
  return ((anyMask(run) >> place) & 1) != 0;
}

/**
 * Evicts the oldest runs until there is room for one more holder, and for one more block and run if needed.
 * False if nothing can be evicted.
 */
export function makeRoom(needsBlock: bool, needsRun: bool): bool {
  while (
    (needsBlock && stat(BLOCKS) >= maxBlocks) ||
    (needsRun && (stat(RUNS) >= maxRuns || !runsReady())) ||
    !holdersReady() ||
    !engineTableReady(1) ||
    !aliasesReady()
  ) {
    if (!evictOldest()) return false;
  }
  return true;
}

/** The place of the first new block in the run that `runForNew` last returned. */
export let newPlace: u32 = 0;

/**
 * The run for new blocks after `parent`: the parent's run, if they follow its last block and it has no other holder;
 * otherwise a new run with the first local hash. 0 if there is no room for one more block.
 */
export function runForNew(h: u32, parent: u32, local: u64): usize {
  const run = parent ? runOf(parent) : 0;
  const place = parent ? placeOf(parent) + 1 : 0;
  const follows = run != 0 && place == lengthOf(run) && place < BLOCKS_PER_RUN && onlyHolder(run, h);
  if (!makeRoom(true, !follows)) return 0;
  newPlace = follows ? place : 0;
  if (!follows) return startRun(parent, local);
  makeNewest(run);
  return run;
}

/** Creates a run after `parent` with its first local hash. Call `makeRoom` before, and `hold` after. */
export function startRun(parent: u32, local: u64): usize {
  const run = newRun(parent);
  store<u64>(run, local, FIRST);
  store<u64>(localsOf(run), local);
  setLength(run, 1);
  linkChild(run);
  addNewest(run);
  if (parent) {
    const links = linksOf(runOf(parent));
    store<u32>(links, load<u32>(links, CHILDREN) + 1, CHILDREN);
  }
  return run;
}

/** Shortens a run, or lengthens it by blocks whose local hashes are already written. */
export function setLength(run: usize, length: u32): void {
  const before = lengthOf(run);
  const locals = localsOf(run);
  let digest = load<u64>(run, DIGEST);
  if (length > before) digest += digestOf(locals, before, length);
  else digest -= digestOf(locals, length, before);
  store<u64>(run, digest, DIGEST);
  store<u8>(run, <u8>length, LENGTH);
}

/** Adds a block without a holder to the end of a run that only the worker holds. */
export function lengthen(run: usize, w: u32, local: u64): void {
  preserve(run);
  const length = lengthOf(run);
  store<u64>(localsOf(run) + (length << 3), local);
  // In bit sets, its masks depend on the length.
  const held = heldMask(run, w);
  const own = ownMask(run, w);
  const wide = load<u32>(run, WIDE) != 0;
  if (wide) setHolder(run, w, 0, 0);
  setLength(run, length + 1);
  if (wide) setHolder(run, w, held, own);
}

/** Makes the worker's hash, which names nothing yet, name this block. Call `makeRoom` first. */
export function hold(w: u32, run: usize, place: u32, hash: u64): void {
  preserve(run);
  const bit = <u32>1 << place;
  const block = blockOf(run, place);
  const held = heldMask(run, w);
  let own = ownMask(run, w);
  if (!(held & bit)) {
    if (!(anyMask(run) & bit)) count(BLOCKS);
    countHeld(w, 1);
  }
  if (takesShared(run, place, hash)) {
    if (held & bit) {
      own &= ~bit;
      noteSeveralHashes(run);
    }
  } else {
    addAlias(w, hash, block);
    if (held & bit) noteSeveralHashes(run);
    else own |= bit;
  }
  setHolder(run, w, held | bit, own);
}

/**
 * Adds new blocks to the end of a run with no other holder than the worker, as many as there is room for. Their local
 * hashes are in `locals`, their engine hashes in `hashes`. Stops at a hash that is already in the engine table. Returns
 * how many it added, including the first block of a new run.
 */
export function holdNew(w: u32, run: usize, place: u32, locals: usize, hashes: usize, blocks: u32): u32 {
  preserve(run);
  const free = maxBlocks - stat(BLOCKS);
  if (free < <f64>blocks) blocks = <u32>max(free, 0);
  blocks = min(blocks, BLOCKS_PER_RUN - place);
  if (!blocks || anyAliasOf(w) || !engineTableReady(blocks) || !holdersReady()) return 0;
  touchBuckets(hashes, blocks);
  let added: u32 = 0;
  for (; added < blocks; added++) {
    const at = <usize>(place + added) << 3;
    const hash = load<u64>(hashes + (added << 3));
    store<u64>(localsOf(run) + at, load<u64>(locals + (added << 3)));
    store<u64>(enginesOf(run) + at, hash);
    if (!insertNewBlock(hash, blockOf(run, place + added))) break;
  }
  if (!added) return 0;
  const bits = firstBits(added) << place;
  const held = heldMask(run, w);
  setLength(run, place + added);
  store<u32>(run, load<u32>(run, SHARED) | bits, SHARED);
  setHolder(run, w, held | bits, 0);
  countHeld(w, added);
  count(BLOCKS, added);
  return added;
}

/**
 * Makes the worker, which has no aliases, a holder of these blocks under the hashes in the run. False if there is no
 * memory for it.
 */
export function holdShared(w: u32, run: usize, bits: u32): bool {
  preserve(run);
  const held = heldMask(run, w);
  const added = popcnt(bits & ~held);
  if (!added) return true;
  if (!holdersReady()) return false;
  setHolder(run, w, held | bits, 0);
  countHeld(w, added);
  return true;
}

/**
 * Gives engine hashes to blocks, starting at `place` in the run, that have holders but no engine hash, as long as the
 * local hashes agree and the engine hashes are unused. Returns how many.
 */
export function nameBlocks(run: usize, place: u32, locals: usize, hashes: usize, blocks: u32): u32 {
  preserve(run);
  let shared = load<u32>(run, SHARED);
  const nameless = anyMask(run) & ~shared;
  const most = min(min(lengthOf(run) - place, blocks), <u32>ctz(~(nameless >> place)));
  if (!most || !engineTableReady(most)) return 0;
  touchBuckets(hashes, most);
  let named: u32 = 0;
  for (; named < most; named++) {
    const at = place + named;
    const hash = load<u64>(hashes + (named << 3));
    if (localOf(run, at) != load<u64>(locals + (named << 3))) break;
    store<u64>(enginesOf(run) + (at << 3), hash);
    if (!insertNewBlock(hash, blockOf(run, at))) break;
    shared |= <u32>1 << at;
  }
  store<u32>(run, shared, SHARED);
  return named;
}

/** Makes the holder hold these blocks without an engine hash. Call `makeRoom` first. */
export function holdNameless(h: u32, run: usize, bits: u32): void {
  const held = heldMask(run, h);
  const added = popcnt(bits & ~held);
  if (!added) return;
  count(BLOCKS, popcnt(bits & ~anyMask(run)));
  setHolder(run, h, held | bits, 0);
  countHeld(h, added);
}

/**
 * The same for new blocks at the end of a run with no other holder; as many as there is room for, but at least one.
 * Returns how many, including the first block of a new run.
 */
export function appendNameless(h: u32, run: usize, place: u32, locals: usize, blocks: u32): u32 {
  preserve(run);
  blocks = min(min(blocks, BLOCKS_PER_RUN - place), <u32>max(maxBlocks - stat(BLOCKS), 1));
  for (let i: u32 = 0; i < blocks; i++) {
    store<u64>(localsOf(run) + (place + i << 3), load<u64>(locals + (i << 3)));
  }
  const held = heldMask(run, h);
  setLength(run, place + blocks);
  setHolder(run, h, held | (firstBits(blocks) << place), 0);
  countHeld(h, blocks);
  count(BLOCKS, blocks);
  return blocks;
}

/** Whether the hash is the one in the run. If the run has none and the hash is unused, stores it there first. */
function takesShared(run: usize, place: u32, hash: u64): bool {
  const bit = <u32>1 << place;
  const shared = load<u32>(run, SHARED);
  if (shared & bit) return engineOf(run, place) == hash;
  if (findBlock(hash)) return false;
  store<u64>(enginesOf(run) + (place << 3), hash);
  store<u32>(run, shared | bit, SHARED);
  insertBlock(hash, blockOf(run, place));
  return true;
}

export function noteSeveralHashes(run: usize): void {
  store<u8>(run, load<u8>(run, FLAGS) | SEVERAL_HASHES, FLAGS);
}

export function mayHaveSeveralHashes(run: usize): bool {
  return (load<u8>(run, FLAGS) & SEVERAL_HASHES) != 0;
}

/** Makes the worker's hash stop naming `block`. */
export function release(w: u32, hash: u64, block: u32): void {
  const run = runOf(block);
  const bit = <u32>1 << placeOf(block);
  preserve(run);
  if (holdsShared(w, block) && engineOf(run, placeOf(block)) == hash) {
    if (mayHaveSeveralHashes(run) && hasAlias(w, block)) {
      setHolder(run, w, heldMask(run, w), ownMask(run, w) | bit);
      return;
    }
  } else {
    dropAlias(aliasOf(w, hash));
    if (holdsShared(w, block) || (mayHaveSeveralHashes(run) && hasAlias(w, block))) return;
  }
  releaseShared(w, run, bit);
}

/** Removes the worker as a holder of these blocks, which none of its other hashes names. */
export function releaseShared(w: u32, run: usize, bits: u32): void {
  if (w < stride) unpredict(w, run, bits);
  dropHeld(w, run, bits);
}

/** The same, without changing predictions. */
export function dropHeld(w: u32, run: usize, bits: u32): void {
  preserve(run);
  let held = takeFromSlot(run, w, bits);
  if (!held) {
    // Copying bit sets needs memory. If there is none, the run is evicted for all its holders.
    if (!holdersReady()) return evictRun(run);
    held = heldMask(run, w) & bits;
    setHolder(run, w, heldMask(run, w) & ~bits, ownMask(run, w) & ~bits);
  }
  countHeld(w, -(<f64>popcnt(held)));
  const unheld = held & ~anyMask(run);
  if (!unheld) return;
  count(BLOCKS, -(<f64>popcnt(unheld)));
  unshare(run, unheld);
  settle(run);
}

/** Removes the hashes of these blocks from the engine table. */
function unshare(run: usize, mask: u32): void {
  const shared = load<u32>(run, SHARED);
  for (let bits = shared & mask; bits; bits &= bits - 1) {
    const place = <u32>ctz(bits);
    removeBlock(engineOf(run, place), blockOf(run, place));
  }
  store<u32>(run, shared & ~mask, SHARED);
}

/** Trims blocks without holders from the end of a run without children, and frees it if empty. */
export function settle(run: usize): void {
  while (run != pinnedRun && !load<u32>(linksOf(run), CHILDREN)) {
    preserve(run);
    const length = 32 - <u32>clz(anyMask(run));
    if (length) return setLength(run, length);
    store<u8>(run, 0, LENGTH);
    const parent = load<u32>(run, PARENT);
    unlinkChild(run);
    removeFromAge(run);
    freeRun(run);
    if (!parent) return;
    run = runOf(parent);
    store<u32>(linksOf(run), load<u32>(linksOf(run), CHILDREN) - 1, CHILDREN);
  }
}

/** Evicts the least recently stored run without children. Runs with children become the newest. */
function evictOldest(): bool {
  for (let rounds = stat(RUNS); rounds > 0; rounds--) {
    const run = oldest;
    if (run != pinnedRun && !load<u32>(linksOf(run), CHILDREN)) {
      evictRun(run);
      return true;
    }
    makeNewest(run);
  }
  return false;
}

function evictRun(run: usize): void {
  preserve(run);
  const held = anyMask(run);
  const blocks = popcnt(held);
  eachHolder(run, (run: usize, mask: u32, _own: u32, w: u32): void => {
    countHeld(w, -(<f64>popcnt(mask)));
    if (kindOf(w) == PREDICTED) dropPrediction(w - stride, run);
  });
  dropAliases(run);
  unshare(run, held);
  clearHolders(run);
  count(BLOCKS, -(<f64>blocks));
  count(FORGOTTEN_BLOCKS, blocks);
  settle(run);
}

let clearedWorker: u32 = 0;

/** Removes everything that the worker holds or is predicted to hold. */
export function forgetWorker(w: u32): void {
  forgetPredictions(w);
  forgetHolder(w);
  forgetHolder(holderOf(HOST, w));
  forgetHolder(holderOf(DISK, w));
}

/** Removes everything that a holder has under engine hashes. */
export function forgetHolder(w: u32): void {
  if (!heldBy(w)) return;
  for (let alias = anyAliasOf(w); alias; alias = anyAliasOf(w)) {
    preserve(runOf(aliasBlock(alias)));
    dropAlias(alias);
  }
  clearedWorker = w;
  eachRun((run: usize): void => {
    const mask = heldMask(run, clearedWorker);
    if (mask) dropHeld(clearedWorker, run, mask);
  });
}
