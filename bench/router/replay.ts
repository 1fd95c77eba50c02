import type { Router } from "#router-wasm";
import { percentile } from "../gateway/statistics.ts";
import type { Finds, Times } from "./figures.ts";
import { BLOCK_SIZE, type Workload, writeTokens } from "./workload.ts";

/** How many decisions stay booked: a request ends after this many others have arrived. */
const IN_FLIGHT = 256;

/** The measured passes. Arguments are prepared before the clock starts. */
export class Replay {
  readonly #workload: Workload;
  readonly #requests: number;
  readonly #tokens: Uint32Array;
  readonly #hashes: BigUint64Array;
  readonly #locals: BigUint64Array;

  /** Replays the first `requests` requests. */
  constructor(workload: Workload, requests: number) {
    this.#workload = workload;
    this.#requests = requests;
    const blocks = workload.longest * workload.blocksPerStep;
    this.#tokens = new Uint32Array(blocks * BLOCK_SIZE);
    this.#hashes = new BigUint64Array(blocks);
    this.#locals = new BigUint64Array(this.#hashes.length);
  }

  /** Look-ups by hashes in the index's memory. `grows`: each request is stored after its look-up. */
  finds(router: Router, grows: boolean): Finds {
    const times = new Float64Array(this.#requests);
    let hitBlocks = 0;
    for (let request = 0; request < this.#requests; request++) {
      const hashes = this.#localsOf(request);
      const blocks = hashes.length;
      router.hashBuffer(blocks).set(hashes);
      const start = performance.now();
      const longest = router.find(blocks);
      times[request] = performance.now() - start;
      hitBlocks += longest;
      if (grows) this.#store(router, request);
    }
    return { ...quantiles(times), max_us: percentile([...times], 1) * 1000, hit_blocks: hitBlocks };
  }

  /** Complete decisions from arrays of token ids: copied, hashed, looked up, priced, booked. */
  decisions(router: Router, grows: boolean): Times {
    const times = new Float64Array(this.#requests);
    const bookings: number[] = [];
    const options = { policy: "kv", tokenCount: 0, random: 0 } as const;
    let random = 0;
    for (let request = 0; request < this.#requests; request++) {
      const tokens = this.#tokensOf(request);
      random = (random + 0.618033988749895) % 1;
      const start = performance.now();
      router.writePrompt(tokens);
      const { booking } = router.decide({ ...options, tokenCount: tokens.length, random });
      times[request] = performance.now() - start;
      router.firstToken(booking);
      bookings.push(booking);
      if (bookings.length > IN_FLIGHT) router.free(bookings[request - IN_FLIGHT]!);
      if (grows) this.#store(router, request);
    }
    for (const booking of bookings.slice(-IN_FLIGHT)) router.free(booking);
    return quantiles(times);
  }

  /** Milliseconds to store each request, from its local hashes, as in the peers, or from its token ids. */
  stores(router: Router, from: "hashes" | "tokens"): Float64Array {
    const store = from === "hashes" ? this.#storeHashed : this.#store;
    const times = new Float64Array(this.#requests);
    for (let request = 0; request < this.#requests; request++)
      times[request] = store.call(this, router, request);
    return times;
  }

  /** Seconds to remove everything: for each request, the blocks that its worker does not store again later. */
  removals(router: Router): number {
    let total = 0;
    for (let request = 0; request < this.#requests; request++) {
      const from = this.#workload.kept[request]! * this.#workload.blocksPerStep;
      const hashes = this.#enginesOf(request).subarray(from).reverse();
      if (hashes.length === 0) continue;
      const start = performance.now();
      router.applyRemoved(request % this.#workload.workers, hashes);
      total += performance.now() - start;
    }
    return total / 1000;
  }

  /** Stores a request. @returns the time in milliseconds */
  #store(router: Router, request: number): number {
    const tokens = this.#tokensOf(request);
    const hashes = this.#enginesOf(request);
    const start = performance.now();
    router.applyStored(request % this.#workload.workers, hashes, undefined, tokens);
    return performance.now() - start;
  }

  #storeHashed(router: Router, request: number): number {
    const locals = this.#localsOf(request);
    const hashes = this.#enginesOf(request);
    const start = performance.now();
    router.applyHashed(request % this.#workload.workers, hashes, undefined, locals);
    return performance.now() - start;
  }

  #tokensOf(request: number): Uint32Array {
    const path = this.#workload.path(request);
    const tokens = this.#workload.blocksPerStep * BLOCK_SIZE;
    for (let i = 0; i < path.length; i++) {
      writeTokens(this.#workload.contents[path[i]!]!, this.#tokens, i * tokens, tokens);
    }
    return this.#tokens.subarray(0, path.length * tokens);
  }

  #enginesOf(request: number): BigUint64Array {
    return this.#gather(this.#workload.engines, this.#hashes, request);
  }

  #localsOf(request: number): BigUint64Array {
    return this.#gather(this.#workload.locals, this.#locals, request);
  }

  /** Collects the request's hashes. */
  #gather(all: BigUint64Array, to: BigUint64Array, request: number): BigUint64Array {
    const path = this.#workload.path(request);
    const blocks = this.#workload.blocksPerStep;
    for (let i = 0; i < path.length; i++) {
      const first = path[i]! * blocks;
      to.set(all.subarray(first, first + blocks), i * blocks);
    }
    return to.subarray(0, path.length * blocks);
  }
}

export function quantiles(milliseconds: Float64Array): Times {
  const all = [...milliseconds];
  return { p50_us: percentile(all, 0.5) * 1000, p99_us: percentile(all, 0.99) * 1000 };
}
