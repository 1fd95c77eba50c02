import { describe, expect, it } from "vitest";
import { createRouter, type DecideOptions, DYNAMO_WEIGHTS, type Router, restoreRouter } from "./index.ts";
import { hashesFrom, newRouter, routerModule, tokensOf } from "./test-router.ts";

/** Decides on `prompt`, by default with kv and without booking. */
function decide(router: Router, prompt: Uint32Array, options: Partial<DecideOptions> = {}) {
  router.tokenBuffer(prompt.length).set(prompt);
  return {
    ...router.decide({ tokenCount: prompt.length, policy: "kv", random: 0, book: false, ...options }),
  };
}

describe("workers", () => {
  it("get the lowest free index, up to the limit", () => {
    const router = newRouter({ blockSize: 16, maxWorkers: 2 });
    expect([router.addWorker(), router.addWorker()]).toEqual([0, 1]);
    expect(() => router.addWorker()).toThrow(expect.objectContaining({ code: "worker_limit" }));
    router.removeWorker(0);
    expect(router.addWorker()).toBe(0);
  });

  it("that do not exist are rejected", () => {
    const router = newRouter({ blockSize: 16 });
    for (const worker of [0, -1, 0.5, 2 ** 32]) {
      expect(() => router.load(worker)).toThrow(expect.objectContaining({ code: "unknown_worker" }));
    }
  });

  it("are −1 in a decision if none is eligible", () => {
    const router = newRouter({ blockSize: 4 });
    const none = { worker: -1, overlapBlocks: 0, cost: 0, booking: -1, busyWorkers: 0 };
    expect(decide(router, tokensOf(1, 1, 4))).toMatchObject(none);
    const worker = router.addWorker();
    router.setEligible(worker, false);
    expect(decide(router, tokensOf(1, 1, 4)).worker).toBe(-1);
    expect(router.explain()).toEqual([]);
  });

  it("that are not eligible are never explained, however idle they are", () => {
    const router = newRouter({ blockSize: 1, weights: { creditDecay: 0.5 } });
    const workers = [router.addWorker(), router.addWorker()];
    router.setEligible(workers[0]!, false);
    decide(router, tokensOf(1, 4, 1), { book: true });
    decide(router, tokensOf(2, 2, 1));
    expect(router.explain().map(({ worker }) => worker)).toEqual([workers[1]]);
  });
});

describe("options", () => {
  it("rejects invalid limits", () => {
    const nonsense = [
      { blockSize: 0 },
      { blockSize: 1.5 },
      { blockSize: 16, maxWorkers: 0 },
      { blockSize: 16, maxBlocks: -1 },
    ];
    for (const options of nonsense) {
      expect(() => newRouter(options)).toThrow(expect.objectContaining({ code: "bad_option" }));
    }
    expect(() => newRouter({ blockSize: 16, weights: { temperature: Number.NaN } })).toThrow(/temperature/);
  });

  it("rejects another module", () => {
    const empty = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    expect(() => createRouter(empty, { blockSize: 16 })).toThrow(
      expect.objectContaining({ code: "bad_module" }),
    );
  });

  it("rejects events with another block size", () => {
    const router = newRouter({ blockSize: 16 });
    const worker = router.addWorker();
    const event = () => router.applyStored(worker, hashesFrom(1, 2), undefined, tokensOf(1, 2, 32));
    expect(event).toThrow(expect.objectContaining({ code: "token_count" }));
  });

  it("matches events and prompts under any salt", () => {
    for (const salt of [{}, { loraName: "a" }, { namespace: "a" }]) {
      const router = newRouter({ blockSize: 4, salt });
      const worker = router.addWorker();
      router.applyStored(worker, hashesFrom(1, 3), undefined, tokensOf(1, 3, 4));
      expect(decide(router, tokensOf(1, 3, 4)).overlapBlocks).toBe(3);
    }
  });
});

describe("overlap", () => {
  it("is the prefix without gaps, and recovers when the gap is stored again", () => {
    const router = newRouter({ blockSize: 4 });
    const worker = router.addWorker();
    const tokens = tokensOf(1, 80, 4);
    router.applyStored(worker, hashesFrom(1, 80), undefined, tokens);
    expect(router.applyRemoved(worker, hashesFrom(41, 1))).toBe(1);
    expect(decide(router, tokens).overlapBlocks).toBe(40);
    expect(router.load(worker).storedBlocks).toBe(79);
    router.applyStored(worker, hashesFrom(41, 1), 40n, tokens.subarray(160, 164));
    expect(decide(router, tokens).overlapBlocks).toBe(80);
  });

  it("finds prompts of 131,072 tokens", () => {
    const router = newRouter({ blockSize: 16, weights: DYNAMO_WEIGHTS });
    const prompt = tokensOf(1, 8192, 16);
    const lengths = [0, 1, 31, 32, 33, 4096, 8191, 8192];
    for (const [worker, blocks] of lengths.entries()) {
      router.addWorker();
      router.applyStored(worker, hashesFrom(1, blocks), undefined, prompt.subarray(0, blocks * 16));
    }
    expect(decide(router, prompt)).toMatchObject({ worker: 7, overlapBlocks: 8192, cost: 0 });
    expect(router.explain().map(({ overlapBlocks }) => overlapBlocks)).toEqual(lengths);
  });

  it("accepts one event with 131,072 blocks", () => {
    const router = newRouter({ blockSize: 1 });
    const worker = router.addWorker();
    const tokens = tokensOf(1, 131_072, 1);
    expect(router.applyStored(worker, hashesFrom(1, tokens.length), undefined, tokens)).toBe(131_072);
    expect(decide(router, tokens).overlapBlocks).toBe(131_072);
    expect(router.applyRemoved(worker, hashesFrom(1, tokens.length))).toBe(131_072);
    expect(router.stats()).toMatchObject({ blocks: 0, runs: 0 });
  });

  it("distinguishes 1,024 workers that share a prefix", () => {
    const router = newRouter({ blockSize: 4, maxWorkers: 1024 });
    const tokens = tokensOf(1, 100, 4);
    const lengths = Array.from({ length: 1024 }, (_, worker) => (worker % 5 === 0 ? worker % 101 : 96));
    for (const [worker, blocks] of lengths.entries()) {
      router.addWorker();
      // Every third engine has its own block hashes.
      const first = worker % 3 === 0 ? worker * 1000 : 1;
      router.applyStored(worker, hashesFrom(first, blocks), undefined, tokens.subarray(0, blocks * 4));
    }
    decide(router, tokens);
    expect(router.explain().map(({ overlapBlocks }) => overlapBlocks)).toEqual(lengths);
    for (let worker = 0; worker < 1024; worker += 2) router.clearWorker(worker);
    decide(router, tokens);
    expect(router.explain().map(({ overlapBlocks }) => overlapBlocks)).toEqual(
      lengths.map((blocks, worker) => (worker % 2 === 0 ? 0 : blocks)),
    );
  });
});

describe("load limits", () => {
  const prompt = tokensOf(1, 2, 16);

  it("exclude a worker at a limit, and distinguish that all are busy from there being none", () => {
    const router = newRouter({ blockSize: 16 });
    const workers = [router.addWorker(), router.addWorker()];
    router.setLimits(0, { activePrefillTokens: 32 });
    router.setLimits(1, { activeDecodeBlocks: 2 });
    const first = decide(router, prompt, { book: true });
    expect(first).toMatchObject({ worker: 0, busyWorkers: 0 });
    const second = decide(router, prompt, { book: true });
    expect(second).toMatchObject({ worker: 1, busyWorkers: 1 });
    expect(decide(router, prompt)).toMatchObject({ worker: -1, busyWorkers: 2, booking: -1 });
    expect(decide(router, prompt, { pinnedWorker: 0 })).toMatchObject({ worker: -1, busyWorkers: 1 });
    expect(decide(router, prompt, { excluded: workers })).toMatchObject({ worker: -1, busyWorkers: 0 });
    router.firstToken(second.booking);
    expect(decide(router, prompt).worker).toBe(-1);
    router.firstToken(first.booking);
    expect(decide(router, prompt)).toMatchObject({ worker: 0, busyWorkers: 1 });
    router.free(second.booking);
    expect(decide(router, prompt)).toMatchObject({ worker: 1, busyWorkers: 0 });
  });

  it("are removed by setting none, and together with their worker", () => {
    const router = newRouter({ blockSize: 16 });
    router.addWorker();
    router.setLimits(0, { activePrefillTokens: 0 });
    expect(decide(router, prompt).worker).toBe(-1);
    router.setLimits(0, {});
    expect(decide(router, prompt).worker).toBe(0);
    router.setLimits(0, { activeDecodeBlocks: 0 });
    router.removeWorker(0);
    router.addWorker();
    expect(decide(router, prompt).worker).toBe(0);
    const refusal = expect.objectContaining({ code: "bad_option" });
    for (const limit of [-1, Number.NaN]) {
      expect(() => router.setLimits(0, { activePrefillTokens: limit })).toThrow(refusal);
    }
  });

  it("exclude a busy worker from the comparison for credit decay", () => {
    const router = newRouter({ blockSize: 16, weights: { ...DYNAMO_WEIGHTS, creditDecay: 1 } });
    for (const worker of [router.addWorker(), router.addWorker(), router.addWorker()]) {
      router.applyStored(worker, hashesFrom(1, 2), undefined, prompt);
    }
    const other = tokensOf(2, 4, 16);
    decide(router, other, { pinnedWorker: 1, book: true });
    decide(router, other, { pinnedWorker: 2, book: true });
    const costs = () => router.explain().map(({ prefill }) => prefill);
    decide(router, prompt);
    const excess = 64 / 32;
    expect(costs()).toEqual([0, 4 + 2 - 2 / (1 + excess), 4 + 2 - 2 / (1 + excess)]);
    router.setLimits(0, { activePrefillTokens: 0 });
    decide(router, prompt);
    expect(costs()).toEqual([4, 4]);
  });
});

describe("find", () => {
  it("queries only the index, by hashes", () => {
    const router = newRouter({ blockSize: 4 });
    const [first, second] = [router.addWorker(), router.addWorker()];
    const prompt = tokensOf(1, 3, 4);
    router.applyStored(first, hashesFrom(1, 3), undefined, prompt);
    router.applyStored(second, hashesFrom(1, 1), undefined, prompt.subarray(0, 4));
    decide(router, prompt);
    router.tokenBuffer(prompt.length).set(prompt);
    const hashes = router.hashPrompt(prompt.length).slice();
    router.hashBuffer(hashes.length).set(hashes);
    expect(router.find(3)).toBe(3);
    expect([router.overlap(first), router.overlap(second)]).toEqual([3, 1]);
    expect(router.find(2)).toBe(2);
    expect(router.explain()).toEqual([]);
    expect(router.stats().bookings).toBe(0);
  });

  it("rejects hashes that were not written", () => {
    const router = newRouter({ blockSize: 4 });
    const refusal = expect.objectContaining({ code: "token_count" });
    expect(() => router.find(1)).toThrow(refusal);
    expect(() => router.hashPrompt(4)).toThrow(refusal);
    expect(() => router.find(-1)).toThrow(refusal);
    expect(() => router.hashBuffer(-1)).toThrow(expect.objectContaining({ code: "bad_option" }));
    expect(router.find(0)).toBe(0);
  });
});

describe("engine hashes", () => {
  it("that only one worker uses can continue the others' blocks", () => {
    const router = newRouter({ blockSize: 4 });
    const tokens = tokensOf(1, 21, 4);
    const workers = Array.from({ length: 12 }, () => router.addWorker());
    for (const worker of workers) {
      router.applyStored(worker, hashesFrom(worker * 1000, 20), undefined, tokens.subarray(0, 80));
    }
    for (const worker of workers)
      if (worker !== 5) router.applyRemoved(worker, hashesFrom(worker * 1000, 20));
    expect(router.applyStored(5, hashesFrom(5020, 1), 5019n, tokens.subarray(80))).toBe(1);
    expect(router.load(5).storedBlocks).toBe(21);
    expect(decide(router, tokens)).toMatchObject({ worker: 5, overlapBlocks: 21 });
    expect(router.stats()).toMatchObject({ blocks: 21, storedBlocks: 21, runs: 1 });
  });

  it("may be the same for different tokens on different workers", () => {
    const router = newRouter({ blockSize: 4 });
    const workers = [router.addWorker(), router.addWorker(), router.addWorker()];
    for (const worker of workers)
      router.applyStored(worker, hashesFrom(1, 5), undefined, tokensOf(worker, 5, 4));
    router.applyRemoved(0, hashesFrom(1, 5));
    router.applyStored(1, hashesFrom(6, 1), 5n, tokensOf(1, 6, 4).subarray(20));
    const overlaps = workers.map((worker) =>
      decide(router, tokensOf(worker, 6, 4), { pinnedWorker: worker }),
    );
    expect(overlaps.map(({ overlapBlocks }) => overlapBlocks)).toEqual([0, 6, 5]);
  });
});

describe("choice", () => {
  it("prefers the worker that holds the prompt, until it is too busy", () => {
    const router = newRouter({ blockSize: 16, weights: DYNAMO_WEIGHTS });
    const [busy, idle] = [router.addWorker(), router.addWorker()];
    const prompt = tokensOf(1, 10, 16);
    router.applyStored(busy, hashesFrom(1, 10), undefined, prompt);
    const { worker, booking } = decide(router, prompt, { book: true });
    expect(worker).toBe(busy);
    // Ten blocks of decode weigh as much as ten of prefill; then the fewest requests win.
    expect(decide(router, prompt)).toMatchObject({ worker: idle, cost: 10 });
    router.free(booking);
    expect(decide(router, prompt)).toMatchObject({ worker: busy, cost: 0 });
  });

  it("chooses among equal workers by the random number", () => {
    const router = newRouter({ blockSize: 16 });
    for (let i = 0; i < 4; i++) router.addWorker();
    const chosen = [0, 0.25, 0.5, 0.75].map(
      (random) => decide(router, tokensOf(1, 1, 16), { random }).worker,
    );
    expect(chosen).toEqual([0, 1, 2, 3]);
  });

  it("rejects a prompt that was not written", () => {
    const router = newRouter({ blockSize: 16 });
    const options = { tokenCount: 1_000_000, policy: "kv", random: 0 } as const;
    expect(() => router.decide(options)).toThrow(expect.objectContaining({ code: "token_count" }));
    expect(() => router.decide({ ...options, random: 1 })).toThrow(/random/);
  });
});

describe("recent prefill", () => {
  const BLOCK = 16;
  /** Serves a new prompt, which completes at once. */
  function serve(router: Router, content: number, now: number): number {
    const { worker, booking } = decide(router, tokensOf(content, 10, BLOCK), { book: true, now });
    router.free(booking);
    router.applyStored(worker, hashesFrom(content * 100, 10), undefined, tokensOf(content, 10, BLOCK));
    return worker;
  }

  it("sends new prompts to the worker with the least, even if all are idle", () => {
    const router = newRouter({ blockSize: BLOCK });
    // The worker that holds more loses ties, so without the term it would get nothing.
    const full = router.addWorker();
    const other = router.addWorker();
    router.applyStored(full, hashesFrom(90_000, 40), undefined, tokensOf(900, 40, BLOCK));
    expect([serve(router, 1, 1), serve(router, 2, 1), serve(router, 3, 1)]).toEqual([other, full, other]);
  });

  it("decays with age, finally to nothing", () => {
    const router = newRouter({
      blockSize: BLOCK,
      weights: { recentPrefillWeight: 2, recentPrefillSeconds: 100 },
    });
    const worker = router.addWorker();
    decide(router, tokensOf(1, 10, BLOCK), { now: 1 });
    const before = router.explain()[0]!.total;
    serve(router, 2, 1);
    const costs = [1, 101, 1001, 10_000].map((now) => {
      decide(router, tokensOf(1, 10, BLOCK), { now });
      return router.explain()[0]!.total - before;
    });
    expect(costs[0]).toBe(20);
    expect(costs[1]).toBeCloseTo(20 / Math.E, 1);
    expect(costs[2]).toBeCloseTo(20 / Math.E ** 10, 2);
    expect(costs[3]).toBe(0);
    router.removeWorker(worker);
  });

  it("is not inherited by the next worker with the same index", () => {
    const router = newRouter({ blockSize: BLOCK });
    const worker = router.addWorker();
    serve(router, 1, 1);
    router.removeWorker(worker);
    expect(router.addWorker()).toBe(worker);
    const { cost } = decide(router, tokensOf(2, 10, BLOCK));
    expect(cost).toBe(24 * 10);
  });
});

describe("the caller's own terms", () => {
  const prompt = tokensOf(1, 4, 16);

  it("are added to the costs", () => {
    const router = newRouter({ blockSize: 16 });
    for (let i = 0; i < 3; i++) router.addWorker();
    const { worker, cost } = decide(router, prompt, { terms: Float64Array.of(5, 2, 3) });
    expect([worker, cost]).toEqual([1, 24 * 4 + 2]);
    expect(router.explain().map(({ total }) => total - 24 * 4)).toEqual([5, 2, 3]);
    // Only for one decision.
    expect(decide(router, prompt).cost).toBe(24 * 4);
  });

  it("exclude workers if not finite, and may be fewer or more than the workers", () => {
    const router = newRouter({ blockSize: 16, maxWorkers: 3 });
    for (let i = 0; i < 3; i++) router.addWorker();
    expect(decide(router, prompt, { terms: Float64Array.of(Infinity, NaN) }).worker).toBe(2);
    expect(decide(router, prompt, { terms: Float64Array.of(1, 1, 0, -9, -9) }).worker).toBe(2);
    expect(decide(router, prompt, { terms: new Float64Array(3).fill(Infinity) }).worker).toBe(-1);
  });
});

describe("bookings", () => {
  it("have no effect after they are freed", () => {
    const router = newRouter({ blockSize: 16, maxBookings: 1 });
    const worker = router.addWorker();
    const prompt = tokensOf(1, 2, 16);
    const first = decide(router, prompt, { book: true }).booking;
    router.free(first);
    const second = decide(router, prompt, { book: true }).booking;
    expect(second).not.toBe(first);
    router.free(first);
    router.firstToken(first);
    expect(router.load(worker)).toMatchObject({
      activePrefillTokens: 32,
      activeDecodeBlocks: 2,
      activeRequests: 1,
    });
    expect(router.stats().staleBookings).toBe(2);
    expect(decide(router, prompt, { book: true })).toMatchObject({ worker, booking: -1 });
    expect(router.stats()).toMatchObject({ unbookedDecisions: 1, bookings: 1 });
  });

  it("of a removed worker do not affect the next one with its index", () => {
    const router = newRouter({ blockSize: 16 });
    const worker = router.addWorker();
    const { booking } = decide(router, tokensOf(1, 2, 16), { book: true });
    router.removeWorker(worker);
    router.addWorker();
    router.grow(booking, 3);
    router.firstToken(booking);
    router.free(booking);
    const idle = { activePrefillTokens: 0, activeDecodeBlocks: 0, activeRequests: 0, storedBlocks: 0 };
    expect(router.load(worker)).toMatchObject(idle);
    expect(router.stats()).toMatchObject({ bookings: 0, staleBookings: 0 });
  });
});

describe("costs below 0", () => {
  it("are also sampled by their distances", () => {
    const router = newRouter({
      blockSize: 4,
      weights: { overlapCredit: 4, prefillLoadScale: 1, temperature: 0.1 },
    });
    const workers = [router.addWorker(), router.addWorker()];
    const tokens = tokensOf(1, 8, 4);
    for (const [worker, blocks] of [8, 4].entries()) {
      router.applyStored(worker, hashesFrom(1, blocks), undefined, tokens.subarray(0, blocks * 4));
    }
    router.writePrompt(tokens);
    const draws = Array.from({ length: 1000 }, (_, i) => {
      return router.decide({ tokenCount: 32, policy: "kv", random: i / 1000, book: false }).worker;
    });
    // −24 and −8: the second is chosen with a weight of e^(−1 / 0.1), about once in 22,000.
    expect(draws).toEqual(Array(1000).fill(workers[0]));
  });
});

describe("limits", () => {
  it("forget the least recently stored blocks, starting at the ends of branches", () => {
    const router = newRouter({ blockSize: 4, maxBlocks: 100 });
    const worker = router.addWorker();
    for (let content = 0; content < 10; content++) {
      router.applyStored(worker, hashesFrom(content * 100, 20), undefined, tokensOf(content, 20, 4));
    }
    expect(router.stats()).toMatchObject({ blocks: 100, forgottenBlocks: 100, refusedBlocks: 0 });
    expect(decide(router, tokensOf(4, 20, 4)).overlapBlocks).toBe(0);
    expect(decide(router, tokensOf(5, 20, 4)).overlapBlocks).toBe(20);
  });

  it("work with areas beyond 2 GiB", () => {
    // Space for this many runs is reserved at once, but only touched memory is used.
    const router = newRouter({ blockSize: 4, maxBlocks: 2 ** 25, maxWorkers: 4 });
    const worker = router.addWorker();
    const tokens = tokensOf(1, 40, 4);
    const hashes = hashesFrom(1, 40);
    const mmHashes = [hashesFrom(9, 2)];
    router.applyStored(worker, hashes, undefined, tokens, { mmHashes });
    expect(router.tokenBuffer(tokens.length).byteOffset).toBeGreaterThan(2 ** 31);
    router.writePrompt(tokens);
    expect(router.hashPrompt(tokens.length, { mmHashes }).byteOffset).toBeGreaterThan(2 ** 31);
    expect(router.find(40)).toBe(40);
    expect(router.readBatch(Uint8Array.of(0x92, 0x00, 0x90))).toMatchObject({ events: 0 });
    const copy = restoreRouter(routerModule, { blockSize: 4, maxBlocks: 1000 }, router.snapshot());
    expect(copy.stats()).toMatchObject({ blocks: 40, storedBlocks: 40 });
    expect(router.stats().memoryBytes).toBeLessThan(2 ** 26);
  });

  it("reuse memory", () => {
    const router = newRouter({ blockSize: 4, maxBlocks: 20_000 });
    const workers = Array.from({ length: 12 }, () => router.addWorker());
    const churn = (round: number) => {
      for (const worker of workers) {
        for (let content = 0; content < 20; content++) {
          // Half of the contents are shared, every other time under the worker's own hashes.
          const tokens = tokensOf(content % 2 ? content : worker * 100 + content, 50, 4);
          const first = content * 1000 + (round % 2 ? worker * 100_000 : 0);
          router.applyStored(worker, hashesFrom(first, 50), undefined, tokens);
        }
      }
      for (const worker of workers) {
        for (let content = 0; content < 20; content++) {
          const first = content * 1000 + (round % 2 ? worker * 100_000 : 0);
          router.applyRemoved(worker, hashesFrom(first, 50));
        }
      }
      expect(router.stats()).toMatchObject({ blocks: 0, storedBlocks: 0, runs: 0 });
    };
    churn(0);
    churn(1);
    const { memoryBytes } = router.stats();
    for (let round = 0; round < 40; round++) churn(round);
    expect(router.stats()).toMatchObject({ memoryBytes, unknownRemovals: 0 });
  });

  it("forget blocks when memory runs out, and the router keeps working", () => {
    const maxMemoryBytes = 2 ** 20;
    const router = newRouter({
      blockSize: 4,
      maxWorkers: 40,
      maxBookings: 64,
      maxBlocks: 100_000,
      maxMemoryBytes,
    });
    const workers = Array.from({ length: 40 }, () => router.addWorker());
    for (let content = 0; content < 200; content++) {
      const tokens = tokensOf(content, 150, 4);
      for (const worker of workers) {
        // Own hashes use the most memory; every third time, all hold only a part.
        const blocks = content % 3 ? 150 : 1 + ((worker * 7) % 150);
        const first = content * 1_000_000 + (content % 2 ? 0 : worker * 1000);
        router.applyStored(worker, hashesFrom(first, blocks), undefined, tokens.subarray(0, blocks * 4));
      }
    }
    expect(router.stats().memoryBytes).toBeLessThanOrEqual(maxMemoryBytes);
    expect(router.stats().forgottenBlocks).toBeGreaterThan(0);
    expect(decide(router, tokensOf(199, 150, 4)).overlapBlocks).toBe(150);
    for (const worker of workers) router.removeWorker(worker);
    expect(router.stats()).toMatchObject({ blocks: 0, storedBlocks: 0, runs: 0 });
    expect(() => router.tokenBuffer(1_000_000)).toThrow(expect.objectContaining({ code: "memory" }));
    expect(() => newRouter({ blockSize: 4, maxMemoryBytes: 65_536 })).toThrow(/memory/);
  });

  it("keep a prompt in place when events make the memory grow", () => {
    const router = newRouter({ blockSize: 16 });
    const worker = router.addWorker();
    const prompt = tokensOf(1, 8, 16);
    router.tokenBuffer(prompt.length).set(prompt);
    const before = router.stats().memoryBytes;
    router.applyStored(worker, hashesFrom(1, 8), undefined, prompt);
    for (let content = 2; router.stats().memoryBytes === before; content++) {
      router.applyStored(worker, hashesFrom(content * 1000, 500), undefined, tokensOf(content, 500, 16));
    }
    const decision = router.decide({ tokenCount: prompt.length, policy: "kv", random: 0 });
    expect(decision.overlapBlocks).toBe(8);
  });
});
