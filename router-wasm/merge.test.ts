import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Router } from "./index.ts";
import { apply, type Event, event, OPTIONS, withWorkers } from "./test-events.ts";
import { newRouter } from "./test-router.ts";

/** The workers 0 to 9 of a snapshot, in another order. */
const mapping = new Map(Array.from({ length: 10 }, (_, worker) => [worker, 9 - worker]));

/** What each of ten workers has of prompts that `event` may have stored, without the shared pool. */
function overlaps(router: Router, workerOf = (worker: number) => worker) {
  return [0, 1, 2].flatMap((first) =>
    [0, 1, 2].map((second) => {
      const prompt = new Uint32Array(160).map((_, i) => (i < 20 + first * 30 ? first : second));
      router.tokenBuffer(prompt.length).set(prompt);
      router.find(router.hashPrompt(prompt.length).length);
      return Array.from({ length: 10 }, (_, worker) =>
        (["device", "host", "disk"] as const).map((tier) => router.overlap(workerOf(worker), tier)),
      );
    }),
  );
}

const RUNS = Number(process.env.FUZZ_RUNS ?? 15);

const mirrored = (worker: number) => 9 - worker;

function advance(generator: Generator<number, void>): number {
  let sum = 0;
  for (const count of generator) sum += count;
  return sum;
}

describe("a snapshot that is merged into a router in use", () => {
  it("adds what its workers had", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40, size: "max" }), (events) => {
        const [source, target] = [withWorkers(), withWorkers()];
        for (const each of events) apply(source, each);
        advance(target.merge([...source.snapshot(500)], mapping));
        expect(overlaps(target, mirrored)).toEqual(overlaps(source));
      }),
      { numRuns: RUNS },
    );
  });

  it("leaves no stale blocks, whatever was removed before it began or is removed later", () => {
    // Engines do not use a hash for different blocks.
    const sane = event.map((each) => (each.naming === "tiny" ? { ...each, naming: "own" as const } : each));
    fc.assert(
      fc.property(
        fc.array(sane, { maxLength: 40, size: "max" }),
        fc.array(sane, { maxLength: 20, size: "max" }),
        fc.nat(40),
        (before, after, held) => {
          const [source, target] = [withWorkers(), withWorkers()];
          const taken = before.filter((each) => isTaken(source, each));
          predictPrompts(target);
          advance(target.merge([...source.snapshot(500)], mapping));
          for (let worker = 0; worker < 10; worker++) target.setPredictions(worker, undefined);
          // The target has held back the last events before the snapshot too, and applies them again.
          const again = taken.slice(-held || taken.length);
          for (const each of [...again, ...after.filter((each) => isTaken(source, each))])
            apply(target, each, mirrored(each.worker));
          const actual = overlaps(source).flat();
          for (const [i, [device]] of overlaps(target, mirrored).flat().entries())
            expect(device).toBeLessThanOrEqual(actual[i]![0]!);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it("leaves other workers' blocks as they are", () => {
    const [source, target] = [withWorkers(), withWorkers()];
    const path = [{ symbol: 1, length: 40 }];
    const stored = { type: "stored", path, from: 0, count: 1, naming: "own", tier: "device" } as const;
    for (const worker of [1, 2]) apply(source, { ...stored, worker });
    apply(target, { ...stored, worker: 5, path: [{ symbol: 1, length: 10 }] });
    expect(advance(target.merge([...source.snapshot(100)], new Map([[2, 0]])))).toBe(40);
    const held = Array.from({ length: 10 }, (_, worker) => target.load(worker).storedBlocks);
    expect(held).toEqual([40, 0, 0, 0, 0, 10, 0, 0, 0, 0]);
  });

  it("is refused if a piece is missing, damaged, or of another block size", () => {
    const source = withWorkers();
    const path = [
      { symbol: 1, length: 40 },
      { symbol: 2, length: 40 },
    ];
    for (const worker of [0, 1])
      apply(source, { type: "stored", worker, path, from: 0, count: 1, naming: "own", tier: "device" });
    const pieces = [...source.snapshot(100)];
    expect(pieces.length).toBeGreaterThan(3);
    const merge = (pieces: Uint8Array[], target = withWorkers()) => advance(target.merge(pieces, mapping));
    for (let missing = 0; missing < pieces.length; missing++)
      expect(() => merge(pieces.toSpliced(missing, 1))).toThrow(/snapshot/);
    const damaged = pieces.map((piece) => piece.slice());
    damaged[2]![20]! ^= 1;
    expect(() => merge(damaged)).toThrow(/checksum of piece 2/);
    expect(() => merge(pieces, newRouter({ ...OPTIONS, blockSize: 4 }))).toThrow(/blocks of 2 tokens/);
    const keyed = () => newRouter({ ...OPTIONS, hashKey: new Uint8Array(16).fill(1) });
    expect(() => merge(pieces, keyed())).toThrow(/another salt or key/);
    const predicting = keyed();
    predicting.setPredictions(predicting.addWorker(), { ttlSeconds: 100 });
    expect(() => advance(predicting.mergePredictions(0, source.copyPredictions(0)))).toThrow(
      /another salt or key/,
    );
  });
});

/**
 * Applies an event. False if it names blocks that the worker does not have: an engine sends no such
 * event, and a router that hears of those blocks later would take it when it is applied again.
 */
function isTaken(router: Router, each: Event): boolean {
  const { ignoredEvents } = router.stats();
  apply(router, each);
  return each.type === "removed" || router.stats().ignoredEvents === ignoredEvents;
}

/** Predicts some prompts of `overlaps` for some workers. */
function predictPrompts(router: Router, ttlSeconds = 100): void {
  for (const worker of [0, 3, 6]) {
    router.setPredictions(worker, { ttlSeconds });
    send(router, worker, [worker % 3, 1], 0);
  }
}

/** Sends a worker a prompt of two symbols, 40 blocks each. */
function send(router: Router, worker: number, [first, second]: [number, number], now: number): void {
  const prompt = new Uint32Array(160).map((_, i) => (i < 80 ? first : second));
  router.writePrompt(prompt);
  const { booking } = router.decide({ tokenCount: 160, policy: "kv", pinnedWorker: worker, random: 0, now });
  router.predict(worker);
  router.free(booking);
}

function predicted(router: Router, worker: number, symbols: [number, number]): number {
  router.writePrompt(new Uint32Array(160).map((_, i) => (i < 80 ? symbols[0] : symbols[1])));
  router.find(router.hashPrompt(160).length);
  return router.overlap(worker);
}

describe("predictions that are merged", () => {
  it("last as long as they would have", () => {
    const [source, target] = [withWorkers(), withWorkers()];
    source.setPredictions(4, { ttlSeconds: 100 });
    target.setPredictions(7, { ttlSeconds: 100 });
    send(source, 4, [1, 1], 0);
    send(source, 4, [1, 2], 60);
    send(source, 4, [3, 3], 80);
    target.passTime(1_000);
    send(target, 7, [3, 2], 1_000);
    advance(target.mergePredictions(7, source.copyPredictions(4)));
    const prompts = [
      [1, 1],
      [1, 2],
      [3, 3],
    ] as [number, number][];
    const all = (router: Router, worker: number) => prompts.map((each) => predicted(router, worker, each));
    expect(all(target, 7)).toEqual([80, 80, 80]);
    for (const now of [80, 90, 101, 161, 179]) {
      source.passTime(now);
      target.passTime(1_000 + now - 80);
      expect(all(target, 7)).toEqual(all(source, 4));
    }
    expect(predicted(target, 7, [3, 2])).toBe(80);
    target.passTime(1_101);
    expect(target.stats().predictedBlocks).toBe(0);
  });

  it("are the newest if there is no room for all", () => {
    const [source, target] = [withWorkers(), withWorkers()];
    for (const router of [source, target]) router.setPredictions(0, { ttlSeconds: 100 });
    for (const first of [0, 1, 2]) send(source, 0, [first, first], first);
    advance(target.mergePredictions(0, source.copyPredictions(0, 100)));
    expect([0, 1, 2].map((first) => predicted(target, 0, [first, first]))).toEqual([0, 0, 80]);
  });

  it("are refused if they are damaged", () => {
    const [source, target] = [withWorkers(), withWorkers()];
    for (const router of [source, target]) router.setPredictions(0, { ttlSeconds: 100 });
    send(source, 0, [1, 2], 0);
    const bytes = source.copyPredictions(0);
    for (const cut of [1, 17, bytes.length - 1])
      expect(() => advance(target.mergePredictions(0, bytes.subarray(0, cut)))).toThrow(/truncated/);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = bytes.slice();
        damaged[at]! ^= change;
        try {
          advance(target.mergePredictions(0, damaged));
        } catch (error) {
          expect(String(error)).toContain("snapshot");
        }
      }),
    );
  });
});
