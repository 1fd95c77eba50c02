import { expect, test } from "vitest";
import { adapterOf } from "../../engines/index.ts";
import type { KvEventOrigin, Limitation } from "../../engines/types.ts";
import { ObservedLimitations } from "./observed-limitations.ts";

const source: KvEventOrigin = {
  kind: "zmq",
  rank: 0,
  endpoint: "tcp://10.0.0.1:5557",
  replayEndpoint: undefined,
  topic: "",
};
const answer = { promptBlocks: 4, overlapBlocks: 2, hasUsage: true, cachedTokens: undefined };

function observed(kind: "vllm" | "openai" = "vllm", sources = [source]) {
  const reported: Limitation[] = [];
  const resolved: string[] = [];
  const feed = { isConnected: false, batches: 0 };
  const limitations = new ObservedLimitations(
    adapterOf(kind),
    sources,
    () => feed,
    (limitation, isThere) => {
      if (isThere) reported.push(limitation);
      else resolved.push(limitation.code);
    },
  );
  const observe = (more: Partial<typeof answer> | { cachedTokens: number }) => {
    for (let count = 0; count < 20; count++) limitations.observe({ ...answer, ...more });
  };
  return { limitations, feed, reported, resolved, observe };
}

test("an unreachable address of KV events is reported once, with the address", () => {
  const { limitations, reported, observe } = observed();
  observe({ cachedTokens: 32 });
  observe({ cachedTokens: 32 });
  expect(reported).toMatchObject([
    { code: "kv-events", what: "its KV events cannot be reached at tcp://10.0.0.1:5557" },
  ]);
  expect(limitations.limitations).toEqual(reported);
});

test("an engine that announces KV events but sends none is reported, until one arrives", () => {
  const { limitations, feed, reported, resolved, observe } = observed();
  feed.isConnected = true;
  observe({ cachedTokens: 32 });
  expect(reported).toMatchObject([
    { code: "kv-events", what: expect.stringContaining("none has ever arrived") },
  ]);
  feed.batches = 1;
  observe({ cachedTokens: 32 });
  expect(limitations.limitations).toEqual([]);
  expect(resolved).toEqual(["kv-events"]);
});

test("answers without cached tokens are reported with the engine's flag, until one has them", () => {
  const { limitations, feed, reported, observe } = observed();
  feed.batches = 1;
  observe({});
  expect(reported).toMatchObject([{ code: "cached-tokens", flag: "--enable-prompt-tokens-details" }]);
  observe({ cachedTokens: 0 });
  expect(limitations.limitations).toEqual([]);
});

test.each([
  ["prompts shorter than a block, without usage", "vllm", [source], { promptBlocks: 0, hasUsage: false }],
  ["nothing was expected, and no events", "vllm", [], { overlapBlocks: 0 }],
  ["the kind of engine has no such flag", "openai", [], {}],
] as const)("nothing is reported if %s", (_, kind, sources, more) => {
  const { reported, observe } = observed(kind, [...sources]);
  observe(more);
  expect(reported).toEqual([]);
});
