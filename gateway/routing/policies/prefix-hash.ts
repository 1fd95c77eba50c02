import type { CandidateCost } from "#router-wasm";
import { hashText, hashTokens, rendezvousScore } from "../rendezvous.ts";
import type { Choosing } from "../scorers/scorer.ts";
import type { Roster, RoutedWorker } from "../workers.ts";
import type { RoutingPolicy } from "./policy.ts";

/** Tokens of a prompt that count. */
const PREFIX_TOKENS = 1024;
/** A worker with more requests than this many times the mean is passed over. */
const BOUND = 1.25;

/** A hash of each slot's name. */
const names = new WeakMap<Roster<RoutedWorker>, Uint32Array>();

/**
 * Prompts that begin alike go to one worker, and to the next in their order when that one has more than its part: consistent
 * hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016), by rendezvous. It needs to know of no cache, and
 * any number of gateways choose alike.
 */
export const prefixHash: RoutingPolicy = {
  readsCaches: false,
  picker: { pick },
};

function pick(candidates: readonly CandidateCost[], { prompt, roster, load }: Choosing): number {
  const requests = candidates.map(({ worker }) => load(worker).activeRequests);
  const bound = Math.ceil((BOUND * requests.reduce((sum, count) => sum + count, 1)) / candidates.length);
  const key = hashTokens(prompt.tokens.subarray(0, PREFIX_TOKENS));
  const hashes = names.get(roster) ?? hashNames(roster);
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

function hashNames(roster: Roster<RoutedWorker>): Uint32Array {
  const hashes = Uint32Array.from(roster, (slot) =>
    slot === undefined ? 0 : hashText(`${slot.worker.instance.id}/${slot.rank}`),
  );
  names.set(roster, hashes);
  return hashes;
}
