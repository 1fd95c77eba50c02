import type { GatewayShares } from "../routing/load/shared-load.ts";

/** Factor by which counts decay per second: requests count for about ten seconds. */
const DECAY = 0.9;
/** Shares change in steps of this factor, so that small fluctuations do not reassign workers. */
const STEP = 1.25;
/** Minimum share relative to the largest, so that an idle gateway keeps some workers for its next requests. */
const MIN_SHARE = 0.02;

/** Each gateway's share of recent requests, by which they divide the workers. */
export class RequestShares {
  readonly #own: string;
  #count = 0;
  readonly #others = new Map<string, number>();
  #shares: GatewayShares;

  constructor(own: string) {
    this.#own = own;
    this.#shares = { own, weights: new Map() };
  }

  /** The current shares, as a new object after each change; empty without other gateways. */
  get shares(): GatewayShares {
    return this.#shares;
  }

  /** The decayed count of requests routed by this gateway. */
  get recent(): number {
    return this.#count;
  }

  countRequest(): void {
    this.#count++;
  }

  /** Sets another gateway's count. */
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
      const share = most < 1 ? 1 : Math.max(MIN_SHARE, count / most);
      return [gateway, STEP ** Math.round(Math.log(share) / Math.log(STEP))];
    }),
  );
}

const isEqual = (one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>) =>
  one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
