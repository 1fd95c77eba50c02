import type { Member } from "../models/members/member.ts";
import type { WarmModel } from "../models/warm-start.ts";
import type { CopiedRank, TakenBlocks } from "../routing/cache/index-copies.ts";
import { sharedIdOf } from "../routing/load/shared-load.ts";
import type { ReceivedIndex } from "./index-client.ts";

/** Longest time in a turn of the event loop, in milliseconds. */
const SLICE_MS = 1;

export interface MergeTimes {
  /** Runs a function once the current turn of the event loop is over. */
  defer(run: () => void): void;
  /** When it must be done, on the clock of `performance.now()`. */
  readonly until: number;
}

/** What was taken over, and the ranks of each member of which the other gateway knows something. */
export interface MergedIndex extends TakenBlocks {
  readonly ranks: ReadonlyMap<Member, readonly CopiedRank[]>;
}

/**
 * Adds what another gateway knows of some members to a model's router.
 * @throws RouterError for a damaged index; Error if its blocks have another size, or if it takes too long. Nothing is
 *   known of the members' caches then
 */
export async function mergeIndex(
  model: WarmModel,
  index: ReceivedIndex,
  members: ReadonlySet<Member>,
  times: MergeTimes,
): Promise<MergedIndex> {
  useBlockSize(model, index);
  const ranks = ranksOf(model, index.ranks, members);
  for (const [member, [first]] of ranks) {
    // Its events will be found missing here too, but later.
    const isPredicted = first !== undefined && index.predictions.has(first.index);
    if (member.kind === "worker" && isPredicted) model.router.predictOnly(member);
  }
  try {
    return { ranks, ...(await merge(model, index, ranks, times)) };
  } catch (error) {
    // The events of the others have arrived meanwhile.
    for (const [member, all] of ranks) {
      for (const { rank, position } of all) if (position !== undefined) model.clear(member, rank);
      model.updateMode(member);
    }
    throw error;
  }
}

async function merge(
  model: WarmModel,
  index: ReceivedIndex,
  ranks: MergedIndex["ranks"],
  { defer, until }: MergeTimes,
): Promise<TakenBlocks> {
  const { router } = model;
  const copy = { ...index, ranks: [...ranks.values()].flat() };
  const merging = router.copies.merge(copy, new Set(ranks.keys()));
  for (;;) {
    const sliceEnd = performance.now() + SLICE_MS;
    do {
      const step = merging.next();
      if (step.done) return step.value;
    } while (performance.now() < sliceEnd);
    await new Promise<void>((resolve) => defer(resolve));
    if (performance.now() > until) throw new Error("it takes too long");
    if (model.router !== router) throw new Error("the block size has changed meanwhile");
  }
}

/** The other gateway's block size is used if it is more certain than the own one. @throws Error if it cannot be */
function useBlockSize(model: WarmModel, { blockSize, isBlockSizeConfirmed }: ReceivedIndex): void {
  if (blockSize === model.blockSize) return;
  if (!isBlockSizeConfirmed || model.isBlockSizeConfirmed)
    throw new Error(`its blocks have ${blockSize} tokens, and not ${model.blockSize}`);
  model.resize(blockSize);
}

/** The ranks of the members that get requests, without those of an earlier process at the same address. */
function ranksOf(
  { router }: WarmModel,
  all: readonly CopiedRank[],
  members: ReadonlySet<Member>,
): Map<Member, readonly CopiedRank[]> {
  const found = new Map<Member, readonly CopiedRank[]>();
  for (const member of members) {
    const id = sharedIdOf(member.instance);
    const slots = router.workers.slotsOf(member);
    const ranks = all
      .filter(({ worker, rank }) => worker === id && slots[rank] !== undefined)
      .filter(({ startedAt }) => isSameStart(startedAt, member.startedAt))
      // What it holds would never be updated if its events are not followed here.
      .map((rank) => (member.isPredicted ? { ...rank, position: undefined } : rank));
    if (ranks.length > 0) found.set(member, ranks);
  }
  return found;
}

const isSameStart = (one: number | undefined, other: number | undefined): boolean =>
  one === undefined || other === undefined || one === other;
