import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Router, RouterError, type RouterOptions, restoreRouter } from "./index.ts";
import { apply, type Event, event, OPTIONS, withWorkers } from "./test-events.ts";
import { newRouter, routerModule } from "./test-router.ts";

/** All observable state, except counters of past operations. */
function state(router: Router) {
  const { blocks, storedBlocks, hostBlocks, diskBlocks, sharedBlocks, runs, workers } = router.stats();
  const loads = Array.from({ length: 10 }, (_, worker) => router.load(worker));
  const overlaps = [0, 1, 2].flatMap((first) =>
    [0, 1, 2].map((second) => {
      const prompt = new Uint32Array(160).map((_, i) => (i < 20 + first * 30 ? first : second));
      router.tokenBuffer(prompt.length).set(prompt);
      router.find(router.hashPrompt(prompt.length).length);
      const tiers = ["device", "host", "disk", "shared"] as const;
      return loads.map((_, worker) => tiers.map((tier) => router.overlap(worker, tier)));
    }),
  );
  return { blocks, storedBlocks, hostBlocks, diskBlocks, sharedBlocks, runs, workers, loads, overlaps };
}

const FORTY_BLOCKS: Event = {
  type: "stored",
  worker: 1,
  path: [{ symbol: 1, length: 40 }],
  from: 0,
  count: 1,
  naming: "own",
  tier: "device",
};

const joined = (pieces: Iterable<Uint8Array>) => Uint8Array.from([...pieces].flatMap((piece) => [...piece]));

describe("a snapshot", () => {
  it("is the index as it was at its start, and continues with later events", () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 40, size: "max" }),
        fc.array(event, { maxLength: 30, size: "max" }),
        fc.integer({ min: 1, max: 3000 }),
        (before, after, pieceBytes) => {
          const [router, twin] = [withWorkers(), withWorkers()];
          for (const each of before) apply(router, each);
          for (const each of before) apply(twin, each);
          const pieces: Uint8Array[] = [];
          const waiting = [...after];
          for (const piece of router.snapshot(pieceBytes)) {
            pieces.push(piece);
            const next = waiting.shift();
            if (next) apply(router, next);
          }
          for (const each of waiting) apply(router, each);
          const restored = restoreRouter(routerModule, OPTIONS, joined(pieces));
          expect(state(restored)).toEqual(state(twin));
          for (const each of after) {
            apply(restored, each);
            apply(twin, each);
            expect(state(restored)).toEqual(state(twin));
          }
          expect(state(router)).toEqual(state(twin));
        },
      ),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 15) },
    );
  });

  it("keeps the order in which runs are forgotten", () => {
    const options = { ...OPTIONS, maxBlocks: 200 };
    const router = newRouter(options);
    const worker = router.addWorker();
    const store = (to: Router, symbol: number) =>
      to.applyStored(
        worker,
        BigUint64Array.from({ length: 32 }, (_, i) => BigInt(symbol * 100 + i)),
        undefined,
        new Uint32Array(64).fill(symbol),
      );
    for (const symbol of [1, 2, 3, 4, 5, 6, 1]) store(router, symbol);
    const restored = restoreRouter(routerModule, options, joined(router.snapshot()));
    for (const each of [router, restored]) store(each, 7);
    const holds = (each: Router, symbol: number) => {
      each.tokenBuffer(64).fill(symbol);
      return each.find(each.hashPrompt(64).length);
    };
    const known = [1, 2, 3, 4, 5, 6, 7].map((symbol) => holds(router, symbol));
    expect(known).toEqual([32, 0, 32, 32, 32, 32, 32]);
    expect([1, 2, 3, 4, 5, 6, 7].map((symbol) => holds(restored, symbol))).toEqual(known);
  });

  it("does not contain removed workers, whose indexes new ones get", () => {
    const router = withWorkers();
    for (const worker of [0, 3, 9]) router.removeWorker(worker);
    const restored = restoreRouter(routerModule, OPTIONS, joined(router.snapshot()));
    expect(restored.stats().workers).toBe(7);
    expect([restored.addWorker(), restored.addWorker(), restored.addWorker()]).toEqual([0, 3, 9]);
  });

  it("ends when another starts", () => {
    const router = withWorkers();
    apply(router, FORTY_BLOCKS);
    const first = router.snapshot();
    first.next();
    const second = joined(router.snapshot());
    expect(() => first.next()).toThrow("Another snapshot was started.");
    expect(restoreRouter(routerModule, OPTIONS, second).stats().storedBlocks).toBe(40);
  });

  it("is rejected if it has another version, block size or salt, or is too large", () => {
    const router = withWorkers();
    apply(router, FORTY_BLOCKS);
    const bytes = joined(router.snapshot());
    const refusal = (options: Partial<RouterOptions>) => {
      try {
        restoreRouter(routerModule, { ...OPTIONS, ...options }, bytes);
      } catch (error) {
        if (error instanceof RouterError) return error.code;
      }
      return undefined;
    };
    expect(refusal({})).toBeUndefined();
    expect(refusal({ blockSize: 4 })).toBe("bad_snapshot");
    expect(refusal({ salt: { namespace: "other" } })).toBe("bad_snapshot");
    expect(refusal({ maxWorkers: 5 })).toBe("worker_limit");
    expect(refusal({ maxBlocks: 8 })).toBe("memory");
  });

  it("is rejected if it is damaged in any way", () => {
    const router = withWorkers();
    const paths = [
      [{ symbol: 1, length: 40 }],
      [
        { symbol: 1, length: 20 },
        { symbol: 2, length: 30 },
      ],
    ];
    for (const [worker, path] of paths.entries()) {
      apply(router, { type: "stored", worker, path, from: 0, count: 1, naming: "own", tier: "device" });
    }
    const bytes = joined(router.snapshot(200));
    const damage = fc.oneof(
      fc.record({ at: fc.nat(bytes.length - 1), change: fc.integer({ min: 1, max: 255 }) }),
      fc.record({ cut: fc.nat(bytes.length - 1) }),
      fc.record({ more: fc.uint8Array({ minLength: 1, maxLength: 40 }) }),
    );
    fc.assert(
      fc.property(damage, (damage) => {
        let damaged = bytes.slice();
        if ("cut" in damage) damaged = damaged.slice(0, damage.cut);
        else if ("more" in damage) damaged = Uint8Array.from([...bytes, ...damage.more]);
        else damaged[damage.at]! ^= damage.change;
        expect(() => restoreRouter(routerModule, OPTIONS, damaged)).toThrow(/snapshot/);
      }),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 60) },
    );
  });
});
