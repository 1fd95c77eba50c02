import { type GatewayShares, sharedIdOf } from "../load/shared-load.ts";
import { hashText, rendezvousScore } from "../rendezvous.ts";
import type { Roster, RoutedWorker } from "../workers.ts";
import type { RoutingContext, Scorer } from "./scorer.ts";

/**
 * How much more an own worker may cost, as a share of the cost of the prompt's prefill. On the conversation trace,
 * 0.1 to 0.5 perform alike, and 0 is not enough.
 */
const TOLERANCE = 0.25;

/**
 * Keeps gateways with the same information from all choosing the same worker: each prefers the workers of its own
 * share, by a surcharge on the others. The cheapest own worker is chosen unless it costs more than the cheapest of
 * all by over a quarter of the cost of the prompt's prefill.
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
      this.#others = roster.flatMap((slot) =>
        slot === undefined || ownerOf(sharedIdOf(slot.worker.instance), weights) === own ? [] : [slot.index],
      );
    }
    const penalty = TOLERANCE * this.#prefillLoadScale * (prompt.tokens.length / blockSize);
    for (const index of this.#others) terms[index]! += penalty;
  }
}

/** The gateway in whose share the worker is; undefined if there are no gateways. */
export function ownerOf(workerId: string, weights: ReadonlyMap<string, number>): string | undefined {
  const key = hashText(workerId);
  let owner: string | undefined;
  let best = 0;
  for (const [gateway, weight] of weights) {
    const score = rendezvousScore(key, hashText(gateway), weight);
    if (score <= best) continue;
    best = score;
    owner = gateway;
  }
  return owner;
}
