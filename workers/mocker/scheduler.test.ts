import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeKvEvents, type KvEvent } from "#runtime";
import { type ScheduledRequest, Scheduler, type SchedulerOptions } from "./scheduler.ts";

const options: SchedulerOptions = { blockSize: 4, totalBlocks: 16, maxSequences: 3, maxBatchedTokens: 8 };

/** Tracks the cached blocks and checks every event. */
function follower() {
  const contents = new Set<number>();
  const log: string[] = [];
  return {
    contents,
    log,
    onStored(hash: number) {
      expect(contents.has(hash)).toBe(false);
      contents.add(hash);
      log.push(`+${hash}`);
    },
    onRemoved(hash: number) {
      expect(contents.delete(hash)).toBe(true);
      log.push(`-${hash}`);
    },
  };
}

class TestRequest implements ScheduledRequest {
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly family: number;
  readonly importedTokens?: number;
  tokens = 0;
  cached: number | undefined;
  ended = false;

  constructor(promptTokens: number, maxTokens: number, family: number, importedTokens?: number) {
    if (importedTokens !== undefined) this.importedTokens = importedTokens;
    this.promptTokens = promptTokens;
    this.maxTokens = maxTokens;
    this.family = family;
  }

  /** Requests of one family share a prefix as long as the shorter one. */
  hashAt(index: number): number {
    return this.family * 1000 + index;
  }

  onStart(cachedTokens: number): void {
    expect(this.cached).toBeUndefined();
    this.cached = cachedTokens;
  }

  onToken(isLast: boolean): void {
    expect(this.ended).toBe(false);
    this.tokens++;
    this.ended = isLast;
    expect(isLast).toBe(this.tokens === this.maxTokens);
  }
}

/** Runs until nothing is left to do. @returns the work of each step */
function run(scheduler: Scheduler, limit = 10_000) {
  const steps = [];
  while (scheduler.running + scheduler.waiting > 0) {
    expect(steps.length).toBeLessThan(limit);
    const work = scheduler.beginStep();
    expect(work.prefillTokens + work.decodes).toBeGreaterThan(0);
    scheduler.finishStep();
    steps.push(work);
  }
  return steps;
}

describe("the scheduler", () => {
  test("for any requests: each gets its tokens, no limit is exceeded, and events match the cache", () => {
    const request = fc.record({
      promptTokens: fc.integer({ min: 1, max: 40 }),
      maxTokens: fc.integer({ min: 1, max: 20 }),
      family: fc.integer({ min: 0, max: 2 }),
      importedShare: fc.option(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })),
      stepsBefore: fc.integer({ min: 0, max: 4 }),
      aborted: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 12 }), (requests) => {
        const seen = follower();
        const scheduler = new Scheduler(options, seen);
        const all: TestRequest[] = [];
        const step = () => {
          const work = scheduler.beginStep();
          expect(work.prefillTokens + work.decodes).toBeLessThanOrEqual(options.maxBatchedTokens);
          expect(scheduler.running).toBeLessThanOrEqual(options.maxSequences);
          scheduler.finishStep();
          expect(new Set(scheduler.pool.contents())).toEqual(seen.contents);
        };
        for (const { promptTokens, maxTokens, family, importedShare, stepsBefore, aborted } of requests) {
          for (let count = 0; count < stepsBefore; count++) step();
          const imported = importedShare === null ? undefined : Math.floor(importedShare * promptTokens);
          const added = new TestRequest(promptTokens, maxTokens, family, imported);
          scheduler.add(added);
          if (aborted) scheduler.abort(added);
          else all.push(added);
        }
        run(scheduler);
        for (const { tokens, maxTokens, cached, promptTokens } of all) {
          expect(tokens).toBe(maxTokens);
          expect(cached).toBeLessThan(promptTokens);
          expect(cached! % options.blockSize).toBe(0);
        }
        expect(scheduler.pool.freeCount).toBe(options.totalBlocks);
        expect(scheduler.kvUsage).toBe(0);
      }),
    );
  });

  test("splits a long prompt into chunks, and schedules generating requests first", () => {
    const scheduler = new Scheduler(options, follower());
    scheduler.add(new TestRequest(3, 4, 1));
    scheduler.add(new TestRequest(20, 1, 2));
    expect(run(scheduler).map(({ prefillTokens, decodes }) => [prefillTokens, decodes])).toEqual([
      [8, 0],
      [7, 1],
      [7, 1],
      [1, 1],
    ]);
  });

  test("reuses a prefix, also after its request has ended, but evaluates the last token", () => {
    const scheduler = new Scheduler(options, follower());
    const first = new TestRequest(16, 1, 1);
    scheduler.add(first);
    run(scheduler);
    const [same, longer, other] = [
      new TestRequest(16, 1, 1),
      new TestRequest(18, 1, 1),
      new TestRequest(16, 1, 2),
    ];
    for (const request of [same, longer, other]) {
      scheduler.add(request);
      run(scheduler);
    }
    expect([first.cached, same.cached, longer.cached, other.cached]).toEqual([0, 12, 16, 0]);
  });

  test("overwrites the least recently freed blocks first, a sequence's end before its beginning", () => {
    const seen = follower();
    const scheduler = new Scheduler({ ...options, totalBlocks: 5 }, seen);
    for (const [family, prompt] of [
      [1, 12],
      [2, 8],
      [3, 8],
    ] as const) {
      scheduler.add(new TestRequest(prompt, 1, family));
      run(scheduler);
    }
    expect(seen.log.filter((line) => line.startsWith("-"))).toEqual(["-1002", "-1001"]);
  });

  test("preempts the latest request when blocks run out", () => {
    const scheduler = new Scheduler({ ...options, totalBlocks: 5, maxBatchedTokens: 64 }, follower());
    const [first, last] = [new TestRequest(8, 8, 1), new TestRequest(8, 8, 2)];
    scheduler.add(first);
    scheduler.add(last);
    run(scheduler);
    expect(scheduler.preemptions).toBeGreaterThan(0);
    expect([first.tokens, last.tokens]).toEqual([8, 8]);
  });

  test("refuses requests that can never fit", () => {
    expect(() => new Scheduler(options, follower()).add(new TestRequest(60, 5, 1))).toThrow(
      "needs 17 blocks of 16",
    );
  });
});

test("stores the blocks that a real vLLM stored for the same requests, in the same batches", () => {
  // Captured from vLLM 0.32: a prompt; then two that begin with it and differ after it, each with an answer.
  const fixture = new URL("../../runtime/kv-events/fixture-vllm.jsonl", import.meta.url);
  const captured = readFileSync(fixture, "utf8").trim().split("\n");
  const batches = captured.map((line) => {
    const { payload_hex } = JSON.parse(line) as { payload_hex: string };
    return decodeKvEvents(Buffer.from(payload_hex, "hex")).events as Extract<KvEvent, { type: "stored" }>[];
  });
  const parents = new Map<bigint, bigint | undefined>();
  for (const [event] of batches) {
    event!.blockHashes.forEach((hash, index) => {
      parents.set(hash, index === 0 ? event!.parentHash : event!.blockHashes[index - 1]);
    });
  }
  /** The chain of hashes that ends in `hash`. */
  const chain = (hash: bigint | undefined): bigint[] =>
    hash === undefined ? [] : [...chain(parents.get(hash)), hash];
  const numbers = new Map(Array.from(parents.keys(), (hash, index) => [hash, index]));

  let step: number[] = [];
  const steps: number[][] = [];
  const listener = { onStored: (hash: number) => void step.push(hash), onRemoved: () => {} };
  const scheduler = new Scheduler(
    { blockSize: 32, totalBlocks: 1000, maxSequences: 16, maxBatchedTokens: 2048 },
    listener,
  );
  const send = (end: bigint, promptTokens: number, maxTokens: number) => {
    const hashes = chain(end);
    scheduler.add({
      promptTokens,
      maxTokens,
      hashAt: (index) => numbers.get(hashes[index]!)!,
      onToken: () => {},
    });
    while (scheduler.running + scheduler.waiting > 0) {
      scheduler.beginStep();
      scheduler.finishStep();
      if (step.length > 0) steps.push(step);
      step = [];
    }
  };
  send(batches[0]![0]!.blockHashes.at(-1)!, 11 * 32 + 5, 1);
  send(batches[2]![0]!.blockHashes[0]!, 12 * 32 + 3, 32);
  send(batches[4]![0]!.blockHashes[0]!, 12 * 32 + 3, 32);
  expect(steps).toEqual(
    batches.map(([event]) => Array.from(event!.blockHashes, (hash) => numbers.get(hash))),
  );
});
