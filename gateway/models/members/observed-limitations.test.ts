import { expect, test } from "vitest";
import { adapterOf } from "../../engines/index.ts";
import type { KvEventSource, Limitation } from "../../engines/types.ts";
import { ObservedLimitations } from "./observed-limitations.ts";

const source: KvEventSource = {
  kind: "zmq",
  rank: 0,
  endpoint: "tcp://10.0.0.1:5557",
  replayEndpoint: undefined,
  topic: "",
};
const answer = { promptBlocks: 4, overlapBlocks: 2, hasUsage: true, cachedTokens: undefined };

function observed(kind: "vllm" | "openai" = "vllm", sources = [source]) {
  const told: Limitation[] = [];
  const taken: string[] = [];
  const feed = { isConnected: false, batches: 0 };
  const limitations = new ObservedLimitations(
    adapterOf(kind),
    sources,
    () => feed,
    (limitation, isThere) => {
      if (isThere) told.push(limitation);
      else taken.push(limitation.code);
    },
  );
  const see = (more: Partial<typeof answer> | { cachedTokens: number }) => {
    for (let count = 0; count < 20; count++) limitations.observe({ ...answer, ...more });
  };
  return { limitations, feed, told, taken, see };
}

test("an unreachable address of KV events is reported once, with the address", () => {
  const { limitations, told, see } = observed();
  see({ cachedTokens: 32 });
  see({ cachedTokens: 32 });
  expect(told).toMatchObject([
    { code: "kv-events", what: "its KV events cannot be reached at tcp://10.0.0.1:5557" },
  ]);
  expect(limitations.limitations).toEqual(told);
});

test("an engine that announces KV events but sends none is reported, until one arrives", () => {
  const { limitations, feed, told, taken, see } = observed();
  feed.isConnected = true;
  see({ cachedTokens: 32 });
  expect(told).toMatchObject([{ code: "kv-events", what: expect.stringContaining("none has ever arrived") }]);
  feed.batches = 1;
  see({ cachedTokens: 32 });
  expect(limitations.limitations).toEqual([]);
  expect(taken).toEqual(["kv-events"]);
});

test("answers without cached tokens are reported with the engine's flag, until one has them", () => {
  const { limitations, feed, told, see } = observed();
  feed.batches = 1;
  see({});
  expect(told).toMatchObject([{ code: "cached-tokens", flag: "--enable-prompt-tokens-details" }]);
  see({ cachedTokens: 0 });
  expect(limitations.limitations).toEqual([]);
});

test.each([
  ["prompts shorter than a block, without usage", "vllm", [source], { promptBlocks: 0, hasUsage: false }],
  ["nothing was expected, and no events", "vllm", [], { overlapBlocks: 0 }],
  ["the kind of engine has no such flag", "openai", [], {}],
] as const)("nothing is reported if %s", (_, kind, sources, more) => {
  const { told, see } = observed(kind, [...sources]);
  see(more);
  expect(told).toEqual([]);
});
