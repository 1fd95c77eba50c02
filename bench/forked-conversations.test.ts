import { expect, it } from "vitest";
import { forkedConversations } from "./forked-conversations.ts";
import { FORKS, traceLines } from "./trace-file.ts";

const trace = forkedConversations();

it("is deterministic for each seed", () => {
  expect(forkedConversations()).toEqual(trace);
  expect(forkedConversations(2)).not.toEqual(trace);
  expect(traceLines(FORKS).map(({ value }) => value)).toEqual(trace);
});

it("has an id per 512 tokens, which always follows the same ids", () => {
  const before = new Map<number, number | undefined>();
  let previous = 0;
  for (const { timestamp, input_length, hash_ids } of trace) {
    expect(hash_ids).toHaveLength(Math.ceil(input_length / 512));
    for (const [i, id] of hash_ids.entries()) {
      if (!before.has(id)) before.set(id, hash_ids[i - 1]);
      if (before.get(id) !== hash_ids[i - 1]) expect.fail(`${id} follows different ids`);
    }
    expect(timestamp).toBeGreaterThanOrEqual(previous);
    previous = timestamp;
  }
});

it("has prompts of about 2,000 blocks of 16 tokens, parts of which hundreds of 1,024 workers hold", () => {
  const holders = new Map<number, Set<number>>();
  for (const [i, { hash_ids }] of trace.entries()) {
    for (const id of hash_ids) holders.set(id, (holders.get(id) ?? new Set()).add(i % 1024));
  }
  const median = (value: (ids: number[]) => number) =>
    trace.map(({ hash_ids }) => value(hash_ids)).sort((a, b) => a - b)[trace.length / 2]!;
  expect(median((ids) => ids.length * 32)).toBeGreaterThan(1_700);
  expect(median((ids) => holders.get(ids[0]!)!.size)).toBeGreaterThan(800);
  expect(median((ids) => holders.get(ids[ids.length >> 1]!)!.size)).toBeGreaterThan(100);
  // At the end, all branches differ.
  expect(median((ids) => holders.get(ids.at(-1)!)!.size)).toBeLessThan(3);
});
