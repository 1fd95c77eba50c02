import { expect, test } from "vitest";
import { MemoryResponses } from "./memory.ts";
import { responseStoreSuite } from "./store.suite.ts";

const TTL_MS = 60_000;

responseStoreSuite("memory", async (ttlMs) => {
  const store = new MemoryResponses(64 * 2 ** 20, ttlMs);
  return [store, store];
});

test("memory forgets the conversations that were changed least recently", async () => {
  const store = new MemoryResponses(1_000, TTL_MS);
  const metadata = { text: "x".repeat(300) };
  const ids = ["conv_1", "conv_2"] as const;
  for (const id of ids)
    await store.begin(id, { type: "created", owner: "", createdAt: 1, metadata, items: [] });
  await store.change(ids[0], { type: "described", metadata });
  expect([await store.changes(ids[0]), await store.changes(ids[1])]).toEqual([
    [expect.objectContaining({ type: "created" }), { type: "described", metadata }],
    undefined,
  ]);
});
