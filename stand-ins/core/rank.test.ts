import { expect, test } from "vitest";
import type { KvEvent } from "#runtime";
import { StandInRank } from "./rank.ts";
import { tokenize } from "./tokens.ts";

/** A rank whose events are followed and checked. */
function openRank(totalBlocks: number) {
  const held = new Set<bigint>();
  const log: string[] = [];
  const follow = (event: KvEvent) => {
    log.push(event.type);
    if (event.type === "stored") {
      if (event.parentHash !== undefined) expect(held.has(event.parentHash)).toBe(true);
      expect(event.tokenIds).toHaveLength(event.blockHashes.length * 4);
      for (const hash of event.blockHashes) {
        expect(held.has(hash)).toBe(false);
        held.add(hash);
      }
    } else if (event.type === "removed") {
      for (const hash of event.blockHashes) expect(held.delete(hash)).toBe(true);
    }
  };
  const rank = new StandInRank({
    blockSize: 4,
    totalBlocks,
    maxSequences: 64,
    maxBatchedTokens: 8192,
    interTokenMs: 0,
    prefillTokensPerSecond: Number.POSITIVE_INFINITY,
    onEvents: (events) => events.forEach(follow),
  });
  const send = (prompt: string, maxTokens: number) =>
    new Promise<string>((resolve) => {
      const common = { minTokens: 0, loraName: undefined, cacheSalt: undefined, rank: undefined };
      const sequence = rank.add({ tokens: tokenize(prompt), maxTokens, ignoreEos: true, ...common });
      let text = "";
      sequence.onGenerated = (token) => {
        text += token.text;
        if (token.finish !== undefined) resolve(text);
      };
    });
  return { rank, send, log };
}

test("a block that is evicted and stored again in one step is reported so", async () => {
  const { send, log } = openRank(3);
  // The last block of a prompt is evaluated again even if it is cached, here in the same memory.
  for (const prompt of ["one, two", "six.", "one, two"]) await send(prompt, 1);
  expect(log).toEqual(["stored", "stored", "removed", "stored"]);
});

test("with too few blocks for all requests, each waits for some and has its whole answer", async () => {
  const { rank, send, log } = openRank(24);
  const ask = (index: number) => send(`Story ${index % 7}: once upon a`, 20 + (index % 7) * 4);
  const alone: string[] = [];
  for (let index = 0; index < 7; index++) alone.push(await ask(index));
  const together = await Promise.all(Array.from({ length: 60 }, (_, index) => ask(index)));
  expect(together).toEqual(together.map((_, index) => alone[index % 7]));
  expect(log).toContain("removed");
  expect(rank.running + rank.waiting).toBe(0);
});
