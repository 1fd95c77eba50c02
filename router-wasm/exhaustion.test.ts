import fc from "fast-check";
import { expect, it } from "vitest";
import { newRouter, tokensOf } from "./test-router.ts";

// When its memory is exhausted, the router forgets blocks, which the reference model, without a memory limit, cannot
// predict. So this checks that the router never fails, and that its counters stay consistent.

const event = fc.record({
  removes: fc.nat(4).map((n) => n === 0),
  worker: fc.nat(59),
  everybody: fc.nat(3).map((n) => n === 0),
  content: fc.nat(59),
  blocks: fc.integer({ min: 1, max: 300 }),
  /** Block hashes that are shared by all workers, different for each, or taken from a few values. */
  naming: fc.constantFrom("shared", "own", "few"),
});

it("keeps working when its memory is exhausted", { timeout: 600_000 }, () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 400_000, max: 1_500_000 }),
      fc.integer({ min: 1, max: 60 }),
      fc.array(event, { minLength: 150, maxLength: 300, size: "max" }),
      (maxMemoryBytes, maxWorkers, events) => {
        const router = newRouter({
          blockSize: 2,
          maxWorkers,
          maxBlocks: 50_000,
          maxBookings: 16,
          maxMemoryBytes,
        });
        const workers = Array.from({ length: maxWorkers }, () => router.addWorker());
        for (const { removes, worker, everybody, content, blocks, naming } of events) {
          const tokens = tokensOf(content, blocks, 2);
          for (const one of everybody ? workers : [worker % maxWorkers]) {
            const first = content * 1000 + (naming === "own" ? (one + 1) * 1_000_000 : 0);
            const hashes = BigUint64Array.from({ length: blocks }, (_, i) => {
              return BigInt(naming === "few" ? (first + i) % 977 : first + i);
            });
            if (removes) router.applyRemoved(one, hashes);
            else router.applyStored(one, hashes, undefined, tokens);
          }
        }
        const { memoryBytes, storedBlocks } = router.stats();
        expect(memoryBytes).toBeLessThanOrEqual(maxMemoryBytes);
        expect(workers.reduce((sum, one) => sum + router.load(one).storedBlocks, 0)).toBe(storedBlocks);
        for (const one of workers) router.clearWorker(one);
        expect(router.stats()).toMatchObject({ blocks: 0, storedBlocks: 0, runs: 0 });
      },
    ),
    { numRuns: Number(process.env.FUZZ_RUNS ?? 15), interruptAfterTimeLimit: 60_000 },
  );
});
