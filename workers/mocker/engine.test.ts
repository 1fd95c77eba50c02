import { describe, expect, test } from "vitest";
import type { KvEvent } from "#runtime";
import { collect, engineSuite, requestFor, tokensOf } from "../engine.suite.ts";
import type { Delta } from "../engine.ts";
import { openMocker } from "./engine.ts";
import type { MockerOptions } from "./options.ts";

engineSuite("mocker", () => openMocker({ speedup: 0 }));

const never = new AbortController().signal;

describe("the mocker", () => {
  const open = () => {
    const engine = openMocker({ speedup: 0, blockSize: 4, totalBlocks: 64 });
    const batches: KvEvent[][] = [];
    engine.kvEvents!.subscribe((events) => void batches.push(events));
    return { engine, batches };
  };
  const tokens = (count: number, seed: number) =>
    Uint32Array.from({ length: count }, (_, index) => (seed + index) % 250);

  test("reports its cache, in chains, and reuses it", async () => {
    const { engine, batches } = open();
    const send = (prompt: Uint32Array) =>
      collect(engine.generate(requestFor(prompt, { maxTokens: 6 }), never));
    const first = await send(tokens(10, 1));
    expect(first[0]!.cachedTokens).toBe(0);
    expect(tokensOf(first)).toHaveLength(6);
    const stored = batches.flat().filter((event) => event.type === "stored");
    expect(Array.from(stored[0]!.tokenIds)).toEqual([...tokens(8, 1)]);
    expect(stored[0]).toMatchObject({ parentHash: undefined, blockSize: 4 });
    expect(stored[1]!.parentHash).toBe(stored[0]!.blockHashes[1]);
    expect((await send(tokens(10, 1)))[0]!.cachedTokens).toBe(8);
    expect((await send(tokens(10, 2)))[0]!.cachedTokens).toBe(0);
  });

  test("continues an answer as it would have been, wherever it was cut", async () => {
    const { engine } = open();
    const send = async (prompt: Uint32Array, maxTokens: number) =>
      tokensOf(await collect(engine.generate(requestFor(prompt, { maxTokens }), never)));
    const prompt = tokens(10, 1);
    const whole = await send(prompt, 100);
    for (const cut of [1, 7, 48, 99])
      expect(await send(Uint32Array.from([...prompt, ...whole.slice(0, cut)]), 100 - cut)).toEqual(
        whole.slice(cut),
      );
  });

  test("its snapshot and its events agree", async () => {
    const { engine, batches } = open();
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        collect(engine.generate(requestFor(tokens(20 + index, index % 7), { maxTokens: 10 }), never)),
      ),
    );
    const held = new Set<bigint>();
    for (const event of batches.flat()) {
      if (event.type === "stored") for (const hash of event.blockHashes) held.add(hash);
      else if (event.type === "removed")
        for (const hash of event.blockHashes) expect(held.delete(hash)).toBe(true);
    }
    const snapshot = engine
      .kvEvents!.snapshot(0)
      .flatMap((event) => (event.type === "stored" ? [...event.blockHashes] : []));
    expect(new Set(snapshot)).toEqual(held);
    expect(engine.stats()).toEqual({ running: 0, waiting: 0, kvUsage: 0 });
  });

  describe("with data-parallel ranks", () => {
    const openRanks = (options: MockerOptions = {}) => {
      const engine = openMocker({
        speedup: 0,
        blockSize: 4,
        totalBlocks: 64,
        dataParallelSize: 3,
        ...options,
      });
      const ranks: number[] = [];
      engine.kvEvents!.subscribe((_, rank) => void ranks.push(rank!));
      const send = (prompt: Uint32Array, dataParallelRank?: number) =>
        collect(
          engine.generate(
            requestFor(prompt, { maxTokens: 4, ...(dataParallelRank !== undefined && { dataParallelRank }) }),
            never,
          ),
        );
      return { engine, ranks, send };
    };
    const cached = (deltas: Delta[]) => deltas[0]!.cachedTokens;

    test("the requested rank answers, and only it holds the blocks", async () => {
      const { engine, ranks, send } = openRanks();
      await send(tokens(8, 1), 2);
      expect(new Set(ranks)).toEqual(new Set([2]));
      expect([0, 1, 2].map((rank) => engine.kvEvents!.snapshot(rank).length > 0)).toEqual([
        false,
        false,
        true,
      ]);
      expect(cached(await send(tokens(8, 1), 1))).toBe(0);
      expect(cached(await send(tokens(8, 1), 2))).toBe(4);
    });

    test("requests without a rank go to the least loaded one", async () => {
      const { ranks, send } = openRanks();
      await Promise.all([1, 2, 3].map((seed) => send(tokens(8, seed))));
      expect(new Set(ranks)).toEqual(new Set([0, 1, 2]));
      const { engine, send: sendTo } = openRanks({ speedup: 1000 });
      const busy = [0, 0, 1, 2, 2].map((rank, seed) => sendTo(tokens(8, seed), rank));
      const free = sendTo(tokens(8, 9));
      await Promise.all([...busy, free]);
      expect(cached(await sendTo(tokens(8, 9), 1))).toBe(4);
      expect(engine.stats()).toEqual({ running: 0, waiting: 0, kvUsage: 0 });
    });
  });
});
