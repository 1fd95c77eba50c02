import { type Core, TIER_NUMBERS } from "./core.ts";
import { exceeds, KIND_SHIFT, ones, POOL_KIND, RUN_HEAD, type RunCopy, runsIn } from "./run-copy.ts";
import { damaged, otherHashes, readHead, readOnePiece, viewOf } from "./snapshot-format.ts";
import type { Router, Tier } from "./types.ts";

/** Runs to read or store between two yields: some tens of microseconds. */
const RUNS_AT_A_TIME = 16;

const TIERS = new Map<number, Tier>([
  [TIER_NUMBERS.device, "device"],
  [TIER_NUMBERS.host, "host"],
  [TIER_NUMBERS.disk, "disk"],
]);

type Target = Pick<Router, "applyHashed" | "blockSize">;

/** `Router.merge`: stores runs in the order in which they were last stored, each after its parents. */
export function* mergeRuns(
  core: Core,
  target: Target,
  seed: bigint,
  pieces: readonly Uint8Array[],
  workers: ReadonlyMap<number, number>,
): Generator<number, void> {
  const [first, ...rest] = pieces;
  const last = rest.pop();
  if (first === undefined || last === undefined) throw damaged("it is truncated");
  const head = readHead(readOnePiece(core, first, 0));
  if (head.blockSize !== target.blockSize || head.seed !== seed) throw otherHashes(head.blockSize);
  const end = readOnePiece(core, last, pieces.length - 1);
  if (end.length !== 8) throw damaged("it is truncated");
  const copies = new Map<number, RunCopy>();
  let runs = 0;
  for (const [index, piece] of rest.entries()) {
    for (const copy of runsIn(readOnePiece(core, piece, index + 1))) {
      if (isHeldBy(copy, workers)) copies.set(copy.number, copy);
      if (++runs % RUNS_AT_A_TIME === 0) yield 0;
    }
  }
  if (runs !== viewOf(end).getUint32(0, true)) throw damaged("runs are missing");
  const merge = new Merge(target, copies, workers);
  let stored = 0;
  let steps = 0;
  for (const copy of copies.values()) {
    for (const each of merge.withParents(copy)) {
      stored += merge.store(each);
      if (++steps % RUNS_AT_A_TIME > 0) continue;
      yield stored;
      stored = 0;
    }
  }
  yield stored;
}

class Merge {
  readonly #target: Target;
  readonly #copies: ReadonlyMap<number, RunCopy>;
  readonly #workers: ReadonlyMap<number, number>;
  readonly #stored = new Set<number>();
  /** Runs without the blocks before them. */
  readonly #leftOut = new Set<number>();

  constructor(target: Target, copies: ReadonlyMap<number, RunCopy>, workers: ReadonlyMap<number, number>) {
    this.#target = target;
    this.#copies = copies;
    this.#workers = workers;
  }

  /** The run and those before it that are not yet stored, the first one first; none if it cannot be stored. */
  withParents(copy: RunCopy): readonly RunCopy[] {
    const line: RunCopy[] = [];
    let each: RunCopy | undefined = copy;
    while (each !== undefined && !this.#stored.has(each.number) && !this.#leftOut.has(each.number)) {
      line.push(each);
      if (line.length > this.#copies.size) throw damaged("runs form a cycle");
      if (each.parent === 0) return line.reverse();
      each = this.#parentOf(each);
    }
    if (each !== undefined && this.#stored.has(each.number)) return line.reverse();
    for (const { number } of line) this.#leftOut.add(number);
    return [];
  }

  /** Stores the blocks of a run, whose parents are stored. Returns how many (block, worker) pairs. */
  store(copy: RunCopy): number {
    this.#stored.add(copy.number);
    const locals = numbersIn(copy, RUN_HEAD, copy.length);
    let stored = 0;
    for (const [kind, tier] of TIERS)
      for (let at = holdersAt(copy), i = 0; i < copy.holders; at += HOLDER, i++) {
        const number = copy.view.getUint32(at, true);
        const worker = number >>> KIND_SHIFT === kind ? this.#workers.get(workerOf(number)) : undefined;
        if (worker === undefined) continue;
        const names = namesOf(copy, at);
        for (const [from, to] of segmentsOf(copy.view.getUint32(at + 4, true))) {
          const before = this.#nameBefore(copy, number, from);
          if (before === "unknown") continue;
          stored += this.#target.applyHashed(
            worker,
            names.subarray(from, to),
            before,
            locals.subarray(from, to),
            tier,
          );
        }
      }
    if (copy.severalHashes === 1) this.#storeAliases(copy, locals);
    return stored;
  }

  /** Stores the other hashes of blocks that have several. */
  #storeAliases(copy: RunCopy, locals: BigUint64Array): void {
    for (const { hash, number, place } of aliasesOf(copy)) {
      const worker = this.#workers.get(workerOf(number));
      const tier = TIERS.get(number >>> KIND_SHIFT);
      if (worker === undefined || tier === undefined || nameOf(copy, number, place) === hash) continue;
      const before = this.#nameBefore(copy, number, place);
      if (before === "unknown") continue;
      this.#target.applyHashed(
        worker,
        BigUint64Array.of(hash),
        before,
        locals.subarray(place, place + 1),
        tier,
      );
    }
  }

  /** The hash under which the holder's worker has the block before this one; undefined at the start of a prompt. */
  #nameBefore(copy: RunCopy, number: number, place: number): bigint | undefined | "unknown" {
    if (place === 0 && copy.parent === 0) return undefined;
    const run = place > 0 ? copy : this.#parentOf(copy);
    if (run === undefined) return "unknown";
    const at = place > 0 ? place - 1 : copy.parent & 31;
    const own = nameOf(run, number, at);
    if (own !== undefined) return own;
    for (const kind of TIERS.keys()) {
      const name = nameOf(run, (kind << KIND_SHIFT) | workerOf(number), at);
      if (name !== undefined) return name;
    }
    return "unknown";
  }

  #parentOf({ parent }: RunCopy): RunCopy | undefined {
    return this.#copies.get(parent >>> 5);
  }
}

const workerOf = (holder: number): number => holder & ((1 << KIND_SHIFT) - 1);

/** Bytes of a holder and of an alias. */
const HOLDER = 16;

function isHeldBy(copy: RunCopy, workers: ReadonlyMap<number, number>): boolean {
  for (let at = holdersAt(copy), i = 0; i < copy.holders; at += HOLDER, i++) {
    const number = copy.view.getUint32(at, true);
    if (number >>> KIND_SHIFT !== POOL_KIND && workers.has(workerOf(number))) return true;
  }
  return false;
}

const holdersAt = ({ at, length, shared }: RunCopy): number => at + RUN_HEAD + (length + ones(shared)) * 8;

const aliasesAt = (copy: RunCopy): number => holdersAt(copy) + copy.holders * HOLDER;

function* aliasesOf(copy: RunCopy): Generator<{ hash: bigint; number: number; place: number }> {
  const { view, aliases, length } = copy;
  for (let at = aliasesAt(copy), i = 0; i < aliases; at += HOLDER, i++) {
    const place = view.getUint32(at + 12, true);
    if (place >= length) throw damaged("a name is invalid");
    yield { hash: view.getBigUint64(at, true), number: view.getUint32(at + 8, true), place };
  }
}

/** The hash under which a holder has a block; undefined if it does not have it. */
function nameOf(copy: RunCopy, number: number, place: number): bigint | undefined {
  const { view } = copy;
  const bit = 1 << place;
  for (let at = holdersAt(copy), i = 0; i < copy.holders; at += HOLDER, i++) {
    if (view.getUint32(at, true) !== number) continue;
    if ((view.getUint32(at + 4, true) & bit) === 0) return undefined;
    return (view.getUint32(at + 8, true) & bit) === 0
      ? sharedName(copy, place)
      : aliasOf(copy, number, place);
  }
  return undefined;
}

function sharedName({ view, at, length, shared }: RunCopy, place: number): bigint | undefined {
  const bit = 1 << place;
  if ((shared & bit) === 0) return undefined;
  return view.getBigUint64(at + RUN_HEAD + (length + ones(shared & (bit - 1))) * 8, true);
}

function aliasOf(copy: RunCopy, number: number, place: number): bigint | undefined {
  const { view, aliases } = copy;
  for (let at = aliasesAt(copy), i = 0; i < aliases; at += HOLDER, i++)
    if (view.getUint32(at + 8, true) === number && view.getUint32(at + 12, true) === place)
      return view.getBigUint64(at, true);
  return undefined;
}

/** A hash under which the holder has each of its blocks, by place. */
function namesOf(copy: RunCopy, holderAt: number): BigUint64Array {
  const { view, length, shared, aliases } = copy;
  const number = view.getUint32(holderAt, true);
  const mask = view.getUint32(holderAt + 4, true);
  const own = view.getUint32(holderAt + 8, true);
  if (exceeds(mask, length)) throw damaged("a holder is invalid");
  // Usually all blocks have the hashes that the run has. Copying them at once creates no bigint for each.
  if (own === 0 && ones(shared) === length) return numbersIn(copy, RUN_HEAD + length * 8, length);
  const names = new BigUint64Array(length);
  let missing = mask;
  const byShared = mask & ~own & shared;
  for (let bits = shared, at = copy.at + RUN_HEAD + length * 8; bits !== 0; bits &= bits - 1, at += 8) {
    const bit = bits & -bits;
    if ((byShared & bit) === 0) continue;
    names[31 - Math.clz32(bit)] = view.getBigUint64(at, true);
    missing &= ~bit;
  }
  for (let at = aliasesAt(copy), i = 0; i < aliases && missing !== 0; at += HOLDER, i++) {
    const place = view.getUint32(at + 12, true);
    const bit = place < length ? 1 << place : 0;
    if (view.getUint32(at + 8, true) !== number || (missing & bit) === 0) continue;
    names[place] = view.getBigUint64(at, true);
    missing &= ~bit;
  }
  if (missing !== 0) throw damaged("a holder is invalid");
  return names;
}

/** The ranges of consecutive ones. */
function* segmentsOf(mask: number): Generator<[from: number, to: number]> {
  for (let from = 0; from < 32; ) {
    if (((mask >>> from) & 1) === 0) {
      from++;
      continue;
    }
    let to = from + 1;
    while (to < 32 && ((mask >>> to) & 1) === 1) to++;
    yield [from, to];
    from = to;
  }
}

/** A copy of numbers, which may not be aligned in the piece. */
function numbersIn({ view, at }: RunCopy, offset: number, count: number): BigUint64Array {
  const from = view.byteOffset + at + offset;
  return new BigUint64Array(view.buffer.slice(from, from + count * 8));
}
