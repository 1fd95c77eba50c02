import { expect, test } from "vitest";
import { adapterOf } from "../../engines/index.ts";
import type { KvEventSource, Lack } from "../../engines/types.ts";
import { ObservedLacks } from "./observed-lacks.ts";

const source: KvEventSource = {
  kind: "zmq",
  rank: 0,
  endpoint: "tcp://10.0.0.1:5557",
  replayEndpoint: undefined,
  topic: "",
};
const answer = { promptBlocks: 4, overlapBlocks: 2, hasUsage: true, cachedTokens: undefined };

function observed(kind: "vllm" | "openai" = "vllm", sources = [source]) {
  const told: Lack[] = [];
  const taken: string[] = [];
  const feed = { isConnected: false, batches: 0 };
  const lacks = new ObservedLacks(
    adapterOf(kind),
    sources,
    () => feed,
    (lack, isLacking) => {
      if (isLacking) told.push(lack);
      else taken.push(lack.code);
    },
  );
  const see = (more: Partial<typeof answer> | { cachedTokens: number }) => {
    for (let count = 0; count < 20; count++) lacks.observe({ ...answer, ...more });
  };
  return { lacks, feed, told, taken, see };
}

test("events at an address that cannot be reached are told of once, with the address", () => {
  const { lacks, told, see } = observed();
  see({ cachedTokens: 32 });
  see({ cachedTokens: 32 });
  expect(told).toMatchObject([
    { code: "kv-events", what: "its KV events cannot be reached at tcp://10.0.0.1:5557" },
  ]);
  expect(lacks.lacks).toEqual(told);
});

test("an engine that says that it publishes events and never does is told of, until one comes", () => {
  const { lacks, feed, told, taken, see } = observed();
  feed.isConnected = true;
  see({ cachedTokens: 32 });
  expect(told).toMatchObject([{ code: "kv-events", what: expect.stringContaining("none has ever come") }]);
  feed.batches = 1;
  see({ cachedTokens: 32 });
  expect(lacks.lacks).toEqual([]);
  expect(taken).toEqual(["kv-events"]);
});

test("answers without cached tokens are told of with the engine's flag, until one has them", () => {
  const { lacks, feed, told, see } = observed();
  feed.batches = 1;
  see({});
  expect(told).toMatchObject([{ code: "cached-tokens", flag: "--enable-prompt-tokens-details" }]);
  see({ cachedTokens: 0 });
  expect(lacks.lacks).toEqual([]);
});

test.each([
  ["prompts shorter than a block, without usage", "vllm", [source], { promptBlocks: 0, hasUsage: false }],
  ["nothing was expected, and no events", "vllm", [], { overlapBlocks: 0 }],
  ["the kind of engine has no such flag", "openai", [], {}],
] as const)("nothing is told where %s", (_, kind, sources, more) => {
  const { told, see } = observed(kind, [...sources]);
  see(more);
  expect(told).toEqual([]);
});
