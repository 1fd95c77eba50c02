import { describe, expect, test } from "vitest";
import type { KvEvent } from "#runtime";
import { collect, engineSuite, requestFor, tokensOf } from "../engine.suite.ts";
import { openMocker } from "./engine.ts";

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

  test("reports what its cache holds, in chains, and uses it again", async () => {
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

  test("its snapshot and its events tell the same", async () => {
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
});
