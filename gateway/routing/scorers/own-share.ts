import { type GatewayShares, sharedIdOf } from "../load/shared-load.ts";
import { hashText, rendezvousScore } from "../rendezvous.ts";
import type { Roster, RoutedWorker } from "../workers.ts";
import type { RoutingContext, Scorer } from "./scorer.ts";

/**
 * How much more an own worker may cost, as a share of the cost of the prompt's prefill. Chosen by `npm run bench:replicas`:
 * with less, gateways collide in bursts; with more than a half, hits in other gateways' shares are missed.
 */
const TOLERANCE = 0.4;

/**
 * What remains of the weight of recent prefill among several gateways: by its whole weight, workers of other shares too
 * often seem better.
 */
export const RECENT_PREFILL_SHARE = 2 / 3;

/**
 * Keeps gateways with the same information from all choosing the same worker: each prefers the workers of its own
 * share, by a surcharge on the others. The cheapest own worker is chosen unless it costs more than the cheapest of
 * all by over two fifths of the cost of the prompt's prefill.
 */
export class OwnShare implements Scorer {
  readonly #shares: () => GatewayShares;
  readonly #prefillLoadScale: number;
  #roster: Roster<RoutedWorker> | undefined;
  #weights: ReadonlyMap<string, number> | undefined;
  /** Core indices of workers in other gateways' shares. */
  #others: readonly number[] = [];

  /** @param prefillLoadScale the weight of prefill in the cost */
  constructor(shares: () => GatewayShares, prefillLoadScale: number) {
    this.#shares = shares;
    this.#prefillLoadScale = prefillLoadScale;
  }

  /** Without other gateways, all workers are this gateway's own. */
  get isIdle(): boolean {
    return this.#shares().weights.size === 0;
  }

  score(terms: Float64Array, { roster, prompt, blockSize }: RoutingContext): void {
    const { own, weights } = this.#shares();
    if (roster !== this.#roster || weights !== this.#weights) {
      this.#roster = roster;
      this.#weights = weights;
      this.#others = othersIn(roster, own, weights);
    }
    const penalty = TOLERANCE * this.#prefillLoadScale * (prompt.tokens.length / blockSize);
    for (const index of this.#others) terms[index]! += penalty;
  }
}

/** Core indices of the slots in other gateways' shares. */
function othersIn(
  roster: Roster<RoutedWorker>,
  own: string,
  weights: ReadonlyMap<string, number>,
): readonly number[] {
  const slots = roster.filter((slot) => slot !== undefined);
  const owners = divide([...new Set(slots.map(({ worker }) => sharedIdOf(worker.instance)))], weights);
  return slots
    .filter(({ worker }) => owners.get(sharedIdOf(worker.instance)) !== own)
    .map(({ index }) => index);
}

/**
 * Divides workers among gateways in proportion to the gateways' weights. Every gateway comes to the same division, and
 * few workers change hands when a gateway or a worker joins or leaves: rendezvous hashing with bounded shares, because
 * few workers are rarely divided evenly by chance.
 * @returns the gateway of each worker; none without gateways
 */
export function divide(
  workerIds: readonly string[],
  weights: ReadonlyMap<string, number>,
): ReadonlyMap<string, string> {
  const owners = new Map<string, string>();
  const total = sum(weights.values());
  if (total <= 0) return owners;
  const room = new Map(
    [...weights].map(([gateway, weight]) => [gateway, (workerIds.length * weight) / total]),
  );
  const claims = workerIds.flatMap((worker) => {
    const key = hashText(worker);
    return [...weights].map(([gateway, weight]) => ({
      worker,
      gateway,
      score: rendezvousScore(key, hashText(gateway), weight),
    }));
  });
  claims.sort((one, other) => other.score - one.score);
  // First whole workers, then the remainders, by which no share is more than one worker too large.
  for (const needed of [1, Number.MIN_VALUE, Number.NEGATIVE_INFINITY])
    for (const { worker, gateway } of claims) {
      const left = room.get(gateway)!;
      if (owners.has(worker) || left < needed) continue;
      owners.set(worker, gateway);
      room.set(gateway, left - 1);
    }
  return owners;
}

const sum = (numbers: Iterable<number>): number => {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
};
