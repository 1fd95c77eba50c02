import type { Core } from "./core.ts";
import { RouterError } from "./errors.ts";
import { damaged, type SnapshotContent, viewOf } from "./snapshot-format.ts";

/** Holder numbers are kind · 2^20 + worker; the kinds are those of `assembly/kinds.ts`. */
const KIND_SHIFT = 20;
const POOL_KIND = 4;
const KINDS = new Set([0, 2, 3, POOL_KIND]);
const RUN_HEAD = 24;

/** A run's copy within its piece. */
interface RunCopy {
  view: DataView;
  at: number;
  number: number;
  parent: number;
  length: number;
  /** 1 if some holder may have several hashes for a block. */
  severalHashes: number;
  shared: number;
  holders: number;
  aliases: number;
}

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

function* runsIn(piece: Uint8Array): Generator<RunCopy> {
  const view = viewOf(piece);
  for (let at = 0; at < piece.length; ) {
    if (piece.length - at < RUN_HEAD) throw damaged("a run is truncated");
    const copy = {
      view,
      at,
      number: view.getUint32(at, true),
      parent: view.getUint32(at + 4, true),
      length: view.getUint8(at + 8),
      severalHashes: view.getUint8(at + 9),
      aliases: view.getUint16(at + 10, true),
      shared: view.getUint32(at + 12, true),
      holders: view.getUint32(at + 16, true),
    };
    const hashes = copy.length + ones(copy.shared);
    const end = at + RUN_HEAD + hashes * 8 + (copy.holders + copy.aliases) * 16;
    const isWhole = copy.length >= 1 && copy.length <= 32 && end <= piece.length;
    if (!isWhole || exceeds(copy.shared, copy.length)) throw damaged("a run is invalid");
    yield copy;
    at = end;
  }
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

function exceeds(mask: number, length: number): boolean {
  return length < 32 && mask >>> length !== 0;
}

function ones(mask: number): number {
  let count = 0;
  for (let bits = mask; bits !== 0; bits &= bits - 1) count++;
  return count;
}
