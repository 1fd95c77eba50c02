import type { CandidateCost } from "#router-wasm";
import { sharedIdOf } from "../load/shared-load.ts";
import { hashText, hashTokens, rendezvousScore } from "../rendezvous.ts";
import type { RoutingContext } from "../scorers/scorer.ts";
import type { Roster, RoutedWorker } from "../workers.ts";
import type { RoutingPolicy } from "./policy.ts";

/** How many tokens of a prompt are hashed. */
const PREFIX_TOKENS = 1024;
/** A worker with more than this many times the mean number of requests is skipped. */
const BOUND = 1.25;

/** A hash of each slot's worker id and rank. */
const slotHashes = new WeakMap<Roster<RoutedWorker>, Uint32Array>();

/**
 * Sends prompts with the same prefix to one worker, and to the next in their order once that one has too many requests:
 * consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016), with rendezvous hashing. It needs no
 * information about caches, and all gateways make the same choice.
 */
export const prefixHash: RoutingPolicy = {
  readsCaches: false,
  picker: { pick },
};

function pick(candidates: readonly CandidateCost[], { prompt, roster, load }: RoutingContext): number {
  const requests = candidates.map(({ worker }) => load(worker).activeRequests);
  const bound = Math.ceil((BOUND * requests.reduce((sum, count) => sum + count, 1)) / candidates.length);
  const key = hashTokens(prompt.tokens.subarray(0, PREFIX_TOKENS));
  const hashes = slotHashes.get(roster) ?? hashSlots(roster);
  let best = -1;
  let chosen = candidates[0]!.worker;
  candidates.forEach(({ worker }, i) => {
    if (requests[i]! >= bound) return;
    const score = rendezvousScore(key, hashes[worker]!);
    if (score <= best) return;
    best = score;
    chosen = worker;
  });
  return chosen;
}

function hashSlots(roster: Roster<RoutedWorker>): Uint32Array {
  const hashes = Uint32Array.from(roster, (slot) =>
    slot === undefined ? 0 : hashText(`${sharedIdOf(slot.worker.instance)}/${slot.rank}`),
  );
  slotHashes.set(roster, hashes);
  return hashes;
}
