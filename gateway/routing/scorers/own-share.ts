import { hashText, rendezvousScore } from "../rendezvous.ts";
import type { Roster, RoutedWorker } from "../workers.ts";
import type { Choosing, Scorer } from "./scorer.ts";

/** The gateways that send requests to the same workers. */
export interface GatewayShares {
  /** This gateway's name. */
  readonly own: string;
  /**
   * What share of all requests each gateway has lately had, by name, in any unit. A new map for each change: equal
   * shares make it worse than none where one gateway has most requests.
   */
  readonly weights: ReadonlyMap<string, number>;
}

/**
 * How much dearer a worker of the own share may be, as a share of what the prompt's own prefill costs: on the
 * conversation trace 0.1 to 0.5 are alike, and 0 is not enough.
 */
const TOLERANCE = 0.25;

/**
 * Keeps gateways that know the same from deciding the same: each prefers the workers of its own share, by making the
 * others dearer. So the cheapest of the own share is taken unless it costs more than the cheapest of all by over a
 * quarter of the price of the prompt's own prefill.
 */
export class OwnShare implements Scorer {
  readonly #shares: () => GatewayShares;
  readonly #prefillLoadScale: number;
  #roster: Roster<RoutedWorker> | undefined;
  #weights: ReadonlyMap<string, number> | undefined;
  /** Core indices of the others' workers. */
  #others: readonly number[] = [];

  /** @param prefillLoadScale the weight of the cost */
  constructor(shares: () => GatewayShares, prefillLoadScale: number) {
    this.#shares = shares;
    this.#prefillLoadScale = prefillLoadScale;
  }

  score(terms: Float64Array, { roster, prompt, blockSize }: Choosing): void {
    const { own, weights } = this.#shares();
    if (roster !== this.#roster || weights !== this.#weights) {
      this.#roster = roster;
      this.#weights = weights;
      this.#others = roster.flatMap((slot) =>
        slot === undefined || ownerOf(slot.worker.instance.id, weights) === own ? [] : [slot.index],
      );
    }
    const penalty = TOLERANCE * this.#prefillLoadScale * (prompt.tokens.length / blockSize);
    for (const index of this.#others) terms[index]! += penalty;
  }
}

/** The gateway whose share the worker is in; undefined where there are no gateways. */
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
