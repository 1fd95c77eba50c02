// The one place where it changes who holds what: a worker's engine hash comes to name a block, or no longer does.
// A worker holds a block while any of its hashes names it.
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
  leaveRun,
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

/** Blocks and runs at most. */
let maxBlocks: f64 = 0;
let maxRuns: f64 = 0;

/** A run that must stay although nobody may hold anything of it: the one an event is being written to. */
export let pinnedRun: usize = 0;

/** Room for so many runs; false when there is not enough memory. */
export function initHolding(blocks: u32, runs: u32): bool {
  maxBlocks = blocks;
  maxRuns = runs;
  return initRuns(runs);
}

/** Pins another run (0: none). The one pinned before is settled, since nothing keeps it any more. */
export function pin(run: usize): void {
  const before = pinnedRun;
  pinnedRun = run;
  if (before && before != run) settle(before);
}

/** The block that the worker's hash names, 0 for none. */
export function blockNamed(w: u32, hash: u64): u32 {
  const block = findBlock(hash);
  if (block && holdsShared(w, block)) return block;
  const alias = aliasOf(w, hash);
  return alias ? aliasBlock(alias) : 0;
}

/** Whether the worker holds the block under the hash that stands in the run. */
export function holdsShared(w: u32, block: u32): bool {
  const run = runOf(block);
  const bit = <u32>1 << placeOf(block);
  return (heldMask(run, w) & bit) != 0 && (ownMask(run, w) & bit) == 0;
}

/** Whether anybody holds the block. */
export function isHeld(run: usize, place: u32): bool {
  return ((anyMask(run) >> place) & 1) != 0;
}

/**
 * Forgets what is oldest until one more holder, and with it one more block and run if need be, has room.
 * False when nothing can be forgotten for it.
 */
export function makeRoom(needsBlock: bool, needsRun: bool): bool {
  while (
    (needsBlock && stat(BLOCKS) >= maxBlocks) ||
    (needsRun && (stat(RUNS) >= maxRuns || !runsReady())) ||
    !holdersReady() ||
    !engineTableReady(1) ||
    !aliasesReady()
  ) {
    if (!forgetOldest()) return false;
  }
  return true;
}

/** Where in the run that `runForNew` returned last the new blocks begin. */
export let newPlace: u32 = 0;

/**
 * The run that new blocks after `parent` go to: the parent's, when they follow its last block and it is nobody else's
 * than the holder's, else one that is started with their first local hash. 0 when there is no room for one more block.
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

/** A run after `parent` with its first local hash. Call `makeRoom` before, and `hold` after. */
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

/** Makes a run shorter, or longer by blocks whose local hashes are in place. */
export function setLength(run: usize, length: u32): void {
  const before = lengthOf(run);
  const locals = localsOf(run);
  let digest = load<u64>(run, DIGEST);
  if (length > before) digest += digestOf(locals, before, length);
  else digest -= digestOf(locals, length, before);
  store<u64>(run, digest, DIGEST);
  store<u8>(run, <u8>length, LENGTH);
}

/** Adds a block, which nobody holds yet, to the end of a run that only the worker holds. */
export function lengthen(run: usize, w: u32, local: u64): void {
  preserve(run);
  const length = lengthOf(run);
  store<u64>(localsOf(run) + (length << 3), local);
  // In the bit sets its masks follow from the length.
  const held = heldMask(run, w);
  const own = ownMask(run, w);
  const wide = load<u32>(run, WIDE) != 0;
  if (wide) setHolder(run, w, 0, 0);
  setLength(run, length + 1);
  if (wide) setHolder(run, w, held, own);
}

/** The worker's hash, which names nothing yet, names this block from now on. Call `makeRoom` before. */
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
 * Blocks that are known to be new are added to the end of a run whose only holder, if any, is the worker, as many as
 * there is room for. Their local hashes are in `locals`, their engine hashes in `hashes`. Stops before a hash that is
 * in the engine table already. Returns how many it added; the run's first block counts when it has none yet.
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
 * The worker holds these blocks, too, all of them under the hashes in the run, and it has no other names for any
 * block. False when there is no memory for it.
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
 * Names blocks from `place` in the run on that somebody holds, but nobody under an engine hash, as long as the local
 * hashes agree and the engine hashes name nothing else. Returns how many.
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

/** The holder holds these blocks, under no engine hash. Call `makeRoom` before. */
export function holdNameless(h: u32, run: usize, bits: u32): void {
  const held = heldMask(run, h);
  const added = popcnt(bits & ~held);
  if (!added) return;
  count(BLOCKS, popcnt(bits & ~anyMask(run)));
  setHolder(run, h, held | bits, 0);
  countHeld(h, added);
}

/**
 * The same for new blocks at the end of a run whose only holder, if any, is this; as many as there is room for, one
 * at least. Returns how many. The run's first block counts when it has none yet.
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

/** Whether the hash is the one in the run, after putting it there if the run has none and it is free. */
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

/** The worker's hash, which names `block`, no longer does. */
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

/** The worker no longer holds these blocks, which no other hash names for it. */
export function releaseShared(w: u32, run: usize, bits: u32): void {
  if (w < stride) unpredict(w, run, bits);
  letGo(w, run, bits);
}

/** The same, with what the holder is predicted to hold left as it is. */
export function letGo(w: u32, run: usize, bits: u32): void {
  preserve(run);
  let held = takeFromSlot(run, w, bits);
  if (!held) {
    // A copy of bit sets takes memory. Where there is none, the run is forgotten for all its holders.
    if (!holdersReady()) return forgetRun(run);
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

/** Takes the hashes of these blocks out of the engine table. */
function unshare(run: usize, mask: u32): void {
  const shared = load<u32>(run, SHARED);
  for (let bits = shared & mask; bits; bits &= bits - 1) {
    const place = <u32>ctz(bits);
    removeBlock(engineOf(run, place), blockOf(run, place));
  }
  store<u32>(run, shared & ~mask, SHARED);
}

/** Cuts blocks that nobody holds off the end of a run that has no runs after it, and frees it when empty. */
export function settle(run: usize): void {
  while (run != pinnedRun && !load<u32>(linksOf(run), CHILDREN)) {
    preserve(run);
    const length = 32 - <u32>clz(anyMask(run));
    if (length) return setLength(run, length);
    store<u8>(run, 0, LENGTH);
    const parent = load<u32>(run, PARENT);
    unlinkChild(run);
    removeFromAge(run);
    leaveRun(run);
    if (!parent) return;
    run = runOf(parent);
    store<u32>(linksOf(run), load<u32>(linksOf(run), CHILDREN) - 1, CHILDREN);
  }
}

/** Forgets the least recently stored run that no run follows. Runs that others follow get another round. */
function forgetOldest(): bool {
  for (let rounds = stat(RUNS); rounds > 0; rounds--) {
    const run = oldest;
    if (run != pinnedRun && !load<u32>(linksOf(run), CHILDREN)) {
      forgetRun(run);
      return true;
    }
    makeNewest(run);
  }
  return false;
}

function forgetRun(run: usize): void {
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

/** Forgets everything that the worker holds or is predicted to hold. */
export function forgetWorker(w: u32): void {
  forgetPredictions(w);
  forgetHolder(w);
  forgetHolder(holderOf(HOST, w));
  forgetHolder(holderOf(DISK, w));
}

/** Forgets everything that a holder under engine hashes has. */
export function forgetHolder(w: u32): void {
  if (!heldBy(w)) return;
  for (let alias = anyAliasOf(w); alias; alias = anyAliasOf(w)) {
    preserve(runOf(aliasBlock(alias)));
    dropAlias(alias);
  }
  clearedWorker = w;
  eachRun((run: usize): void => {
    const mask = heldMask(run, clearedWorker);
    if (mask) letGo(clearedWorker, run, mask);
  });
}
