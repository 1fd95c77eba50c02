// Restores the runs of a snapshot into an empty index. The host has read and validated it; duplicate runs and hashes,
// which it cannot detect, are refused here.
import { addAlias, aliasesReady } from "./aliases";
import { childOf } from "./children";
import { engineTableReady, insertNewBlock } from "./engine-table";
import { anyMask, holdersReady, setHolder } from "./holders";
import { noteSeveralHashes, setLength, settle, startRun } from "./holding";
import { countHeld, holderOf } from "./kinds";
import { makeNewest } from "./age";
import { blockOf, eachRun, enginesOf, localsOf, runsReady, SHARED } from "./run";
import { KIND_SHIFT } from "./snapshot";
import { BLOCKS, count } from "./stats";

/**
 * Restores a run after a block (0: the start) with these local hashes, and engine hashes at the places in the mask.
 * 0 if there is no room or it is a duplicate.
 */
export function restoreRun(
  parent: u32,
  length: u32,
  severalHashes: bool,
  shared: u32,
  locals: usize,
  hashes: usize,
): usize {
  if (!runsReady() || !engineTableReady(length) || childOf(parent, load<u64>(locals))) return 0;
  const run = startRun(parent, load<u64>(locals));
  memory.copy(localsOf(run), locals, length << 3);
  setLength(run, length);
  if (severalHashes) noteSeveralHashes(run);
  for (let bits = shared; bits; bits &= bits - 1) {
    const place = <u32>ctz(bits);
    const hash = load<u64>(hashes + (place << 3));
    store<u64>(enginesOf(run) + (place << 3), hash);
    if (!insertNewBlock(hash, blockOf(run, place))) return 0;
  }
  store<u32>(run, shared, SHARED);
  return run;
}

/** Restores a holder of the run. @param number as in a snapshot */
export function restoreHolder(run: usize, number: u32, mask: u32, own: u32): bool {
  if (!holdersReady()) return false;
  const h = holderOf(number >> KIND_SHIFT, number & ((1 << KIND_SHIFT) - 1));
  count(BLOCKS, popcnt(mask & ~anyMask(run)));
  setHolder(run, h, mask, own);
  countHeld(h, popcnt(mask));
  return true;
}

export function restoreAlias(run: usize, number: u32, place: u32, hash: u64): bool {
  if (!aliasesReady() || !engineTableReady(1)) return false;
  addAlias(holderOf(number >> KIND_SHIFT, number & ((1 << KIND_SHIFT) - 1)), hash, blockOf(run, place));
  return true;
}

/** Makes the run the newest of those restored so far. */
export function restoreAge(run: usize): void {
  makeNewest(run);
}

/** Ends the restoration, and frees blocks without holders or children. */
export function endRestore(): void {
  eachRun(settle);
}
