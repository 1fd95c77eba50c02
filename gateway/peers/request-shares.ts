import type { GatewayShares } from "../routing/load/shared-load.ts";

/** What a second takes from the count of earlier requests: they count for about ten seconds. */
const DECAY = 0.9;
/** Shares change in steps of this factor, so that workers change hands only when requests really have. */
const STEP = 1.25;
/** The least share of a gateway, of the largest: an idle one keeps some workers, for requests to come. */
const LEAST = 0.02;

/** How many requests each gateway has had lately, as the shares by which they divide the workers. */
export class RequestShares {
  readonly #own: string;
  #count = 0;
  readonly #others = new Map<string, number>();
  #shares: GatewayShares;

  constructor(own: string) {
    this.#own = own;
    this.#shares = { own, weights: new Map() };
  }

  /** The current shares; a new object for each change. Without other gateways, there are none. */
  get shares(): GatewayShares {
    return this.#shares;
  }

  /** Requests that this gateway has routed lately. */
  get recent(): number {
    return this.#count;
  }

  countRequest(): void {
    this.#count++;
  }

  /** Another gateway has told how many requests it has had. */
  set(gateway: string, requests: number): void {
    this.#others.set(gateway, requests);
  }

  delete(gateway: string): void {
    if (this.#others.delete(gateway)) this.#update();
  }

  /** Called every second. */
  tick(): void {
    this.#count *= DECAY;
    this.#update();
  }

  #update(): void {
    const weights =
      this.#others.size === 0 ? new Map() : weightsOf([[this.#own, this.#count], ...this.#others]);
    if (isEqual(weights, this.#shares.weights)) return;
    this.#shares = { own: this.#own, weights };
  }
}

function weightsOf(counts: readonly (readonly [string, number])[]): Map<string, number> {
  const most = Math.max(...counts.map(([, count]) => count));
  return new Map(
    counts.map(([gateway, count]) => {
      const share = most < 1 ? 1 : Math.max(LEAST, count / most);
      return [gateway, STEP ** Math.round(Math.log(share) / Math.log(STEP))];
    }),
  );
}

const isEqual = (one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>) =>
  one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
