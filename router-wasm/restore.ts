import type { Core } from "./core.ts";
import { RouterError } from "./errors.ts";
import { exceeds, KIND_SHIFT, POOL_KIND, RUN_HEAD, type RunCopy, runsIn } from "./run-copy.ts";
import { damaged, type SnapshotContent } from "./snapshot-format.ts";

/** The kinds of `assembly/kinds.ts` that a snapshot has. */
const KINDS = new Set([0, 2, 3, POOL_KIND]);

/**
 * Loads a snapshot's runs into a core that has only workers. Throws `bad_snapshot` if they are inconsistent, `memory`
 * if they do not fit.
 */
export function restoreRuns(core: Core, content: SnapshotContent): void {
  const copies = new Map<number, RunCopy>();
  for (const piece of content.pieces) for (const copy of runsIn(piece)) copies.set(copy.number, copy);
  if (copies.size !== content.runs) throw damaged("runs are missing");
  const workers = new Set(content.workers);
  const restored = new Map<number, number>();
  for (const copy of parentsFirst(copies))
    restored.set(copy.number, restoreRun(core, copy, workers, restored));
  for (const number of copies.keys()) core.exports.restoreOrder(restored.get(number)!);
  core.exports.restoreEnd();
}

/** Sorts the runs so that each comes after its parent. */
function parentsFirst(copies: ReadonlyMap<number, RunCopy>): RunCopy[] {
  const followers = new Map<number, RunCopy[]>();
  const sorted: RunCopy[] = [];
  for (const copy of copies.values()) {
    if (copy.parent === 0) {
      sorted.push(copy);
      continue;
    }
    const parent = copies.get(copy.parent >>> 5);
    if (parent === undefined || (copy.parent & 31) >= parent.length)
      throw damaged("a run's parent is missing");
    const siblings = followers.get(parent.number);
    if (siblings) siblings.push(copy);
    else followers.set(parent.number, [copy]);
  }
  // The list grows while it is iterated.
  for (const copy of sorted) sorted.push(...(followers.get(copy.number) ?? []));
  if (sorted.length !== copies.size) throw damaged("runs form a cycle");
  return sorted;
}

/** Returns the run in the core. */
function restoreRun(
  core: Core,
  { view, at, parent, length, severalHashes, shared, holders, aliases }: RunCopy,
  workers: ReadonlySet<number>,
  restored: ReadonlyMap<number, number>,
): number {
  const { exports, u64 } = core;
  const locals = exports.eventLocalsArea() >>> 3;
  const hashes = exports.eventArea() >>> 3;
  let from = at + RUN_HEAD;
  const next = () => {
    const hash = view.getBigUint64(from, true);
    from += 8;
    return hash;
  };
  for (let place = 0; place < length; place++) u64[locals + place] = next();
  for (let place = 0; place < length; place++) if ((shared >>> place) & 1) u64[hashes + place] = next();
  // A block's number is its run's address (a multiple of 64) halved, plus its place.
  const block = parent === 0 ? 0 : restored.get(parent >>> 5)! / 2 + (parent & 31);
  const run = exports.restoreOne(block, length, severalHashes, shared) >>> 0;
  if (run === 0) throw noRoom("its runs do not fit, or one is duplicated");
  for (let i = 0; i < holders; i++, from += 16) {
    const holder = checkedHolder(view.getUint32(from, true), workers);
    const mask = view.getUint32(from + 4, true);
    const own = view.getUint32(from + 8, true);
    if (mask === 0 || exceeds(mask, length) || (own & ~mask) !== 0) throw damaged("a holder is invalid");
    if (!exports.restoreHeld(run, holder, mask, own)) throw noRoom("its holders do not fit");
  }
  for (let i = 0; i < aliases; i++, from += 16) {
    const holder = checkedHolder(view.getUint32(from + 8, true), workers);
    const place = view.getUint32(from + 12, true);
    if (place >= length) throw damaged("a name is invalid");
    core.u64[hashes] = view.getBigUint64(from, true);
    if (!exports.restoreName(run, holder, place)) throw noRoom("its names do not fit");
  }
  return run;
}

function checkedHolder(number: number, workers: ReadonlySet<number>): number {
  const kind = number >>> KIND_SHIFT;
  const worker = number & ((1 << KIND_SHIFT) - 1);
  if (KINDS.has(kind) && (kind === POOL_KIND ? worker === 0 : workers.has(worker))) return number;
  throw damaged("a holder is not a worker");
}

function noRoom(what: string): RouterError {
  return new RouterError(
    "memory",
    `The snapshot cannot be restored (${what}): raise maxBlocks or maxMemoryBytes.`,
  );
}
