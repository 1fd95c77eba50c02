import { describe, expect, test } from "vitest";
import { decodeKvEvents } from "#runtime";
import { createEngineApi, probeEngine } from "./index.ts";
import { type Answer, serveAnswers } from "./test-server.ts";

// The engines' real answers, shortened.

const vllmMetrics = `# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig
vllm:cache_config_info{block_size="16",enable_prefix_caching="True",engine="0",num_gpu_blocks="1000"} 1.0
vllm:cache_config_info{block_size="16",enable_prefix_caching="True",engine="1",num_gpu_blocks="1000"} 1.0
vllm:num_requests_running{engine="0",model_name="big"} 3.0
vllm:num_requests_running{engine="1",model_name="big"} 1.0
vllm:num_requests_waiting{engine="0",model_name="big"} 2.0
vllm:num_requests_waiting{engine="1",model_name="big"} 0.0
vllm:kv_cache_usage_perc{engine="0",model_name="big"} 0.5
vllm:kv_cache_usage_perc{engine="1",model_name="big"} 0.25
vllm:prefix_cache_queries_total{engine="0",model_name="big"} 100.0
vllm:prefix_cache_hits_total{engine="0",model_name="big"} 60.0
process_start_time_seconds 1.7e+09
`;

const card = (id: string, more: object) => ({ id, object: "model", owned_by: "vllm", parent: null, ...more });

const vllmAnswers: Record<string, Answer> = {
  "/version": { version: "0.32.0" },
  "/metrics": vllmMetrics,
  "/openapi.json": {
    paths: { "/v1/chat/completions": {}, "/v1/models": {}, "/tokenize": {}, "/health": {} },
  },
  "/kv_event_sources": {
    0: { publisher: "zmq", endpoint: "tcp://*:5557", replay_endpoint: "tcp://*:5657", topic: "kv" },
    1: { publisher: "zmq", endpoint: "tcp://*:5558", replay_endpoint: "tcp://*:5658", topic: "kv" },
  },
  "/v1/models": {
    data: [
      card("big", { root: "/models/big", max_model_len: 4096 }),
      card("default", { root: "/models/big", max_model_len: 4096 }),
      card("poet", { root: "/models/poet-lora", parent: "big", max_model_len: null }),
    ],
  },
};

describe("vLLM", () => {
  test("reports everything that routing needs", async () => {
    await using server = await serveAnswers(vllmAnswers);
    const api = createEngineApi(server.url);
    const { adapter, profile } = await probeEngine(api);
    expect(profile).toEqual({
      kind: "vllm",
      version: "0.32.0",
      startedAt: 1.7e9,
      models: [
        {
          name: "big",
          owner: "vllm",
          aliases: ["default"],
          adapters: ["poet"],
          contextLength: 4096,
          source: "/models/big",
          chatTemplate: undefined,
        },
      ],
      blockSize: 16,
      totalBlocks: 1000,
      maxBatchedTokens: undefined,
      maxSequences: undefined,
      dataParallelSize: 2,
      hasPrefixCaching: true,
      kvEvents: [0, 1].map((rank) => ({
        kind: "zmq",
        rank,
        endpoint: `tcp://127.0.0.1:${5557 + rank}`,
        replayEndpoint: `tcp://127.0.0.1:${5657 + rank}`,
        topic: "kv",
      })),
      tokenizes: "chat",
      continuesMessages: true,
      paths: ["/v1/chat/completions", "/v1/models"],
      limitations: [],
    });
    expect(await adapter.readLoad(api)).toEqual({
      running: 4,
      waiting: 2,
      kvUsage: 0.375,
      prefixQueries: 100,
      prefixHits: 60,
      startedAt: 1.7e9,
    });
  });

  test("may be one of several ranks, listening on all addresses of its machine", async () => {
    const sources = { 3: { endpoint: "tcp://0.0.0.0:41003", replay_endpoint: null, topic: "" } };
    await using server = await serveAnswers({ ...vllmAnswers, "/kv_event_sources": sources });
    const { profile } = await probeEngine(createEngineApi(server.url));
    expect(profile.kvEvents).toEqual([
      { kind: "zmq", rank: 3, endpoint: "tcp://127.0.0.1:41003", replayEndpoint: undefined, topic: "" },
    ]);
  });

  test.each<[string, Record<string, Answer | undefined>, string, string | undefined]>([
    ["without KV events", { "/kv_event_sources": {} }, "kv-events", "--kv-events-config"],
    [
      "of a version that does not report its KV events",
      { "/kv_event_sources": undefined },
      "kv-events",
      "--kv-events-config",
    ],
    [
      "without a replay endpoint",
      { "/kv_event_sources": { 0: { endpoint: "tcp://*:5557", topic: "" } } },
      "replay",
      `"replay_endpoint"`,
    ],
    [
      "without prefix caching",
      { "/metrics": vllmMetrics.replaceAll(`caching="True"`, `caching="False"`) },
      "prefix-caching",
      "--enable-prefix-caching",
    ],
    ["without statistics", { "/metrics": undefined }, "load", undefined],
  ])("%s reports its limitation, and the flag", async (_, changes, code, flag) => {
    const answers = Object.entries({ ...vllmAnswers, ...changes });
    const present = answers.filter((entry): entry is [string, Answer] => entry[1] !== undefined);
    await using server = await serveAnswers(Object.fromEntries(present));
    const { profile } = await probeEngine(createEngineApi(server.url));
    expect(profile.limitations.map((limitation) => limitation.code)).toEqual([code]);
    if (flag === undefined) expect(profile.limitations[0]!.flag).toBeUndefined();
    else expect(profile.limitations[0]!.flag).toContain(flag);
  });
});

const sglangInfo = {
  model_path: "/models/big",
  served_model_name: "big",
  version: "0.5.9",
  page_size: 64,
  dp_size: 2,
  max_total_num_tokens: 65_000,
  max_running_requests: 128,
  chunked_prefill_size: -1,
  max_prefill_tokens: 16_384,
  disable_radix_cache: false,
  enable_cache_report: true,
  kv_events_config: `{"publisher":"zmq","topic":"kv-events","endpoint":"tcp://*:5557"}`,
  internal_states: [{}],
};

describe("SGLang", () => {
  test.each(["/server_info", "/get_server_info"])(
    "is recognized by %s, and reports where its ranks publish",
    async (path) => {
      await using server = await serveAnswers({
        [path]: sglangInfo,
        "/v1/models": { data: [{ id: "big", owned_by: "sglang", root: "big", max_model_len: 8192 }] },
        "/metrics": `sglang:num_running_reqs{dp_rank="0",tp_rank="0"} 2
sglang:num_running_reqs{dp_rank="1",tp_rank="0"} 3
sglang:num_running_reqs{dp_rank="0",tp_rank="1"} 2
sglang:num_queue_reqs{tp_rank="0"} 1
sglang:token_usage{tp_rank="0"} 0.5
sglang:prompt_tokens_total{is_streaming="true"} 10
sglang:prompt_tokens_total{is_streaming="false"} 20
sglang:cached_tokens_total{cache_source="device"} 15
`,
      });
      const api = createEngineApi(server.url);
      const { adapter, profile } = await probeEngine(api);
      expect(profile).toMatchObject({
        kind: "sglang",
        version: "0.5.9",
        models: [{ name: "big", source: "/models/big", contextLength: 8192 }],
        blockSize: 64,
        totalBlocks: 1015,
        maxBatchedTokens: 16_384,
        maxSequences: 128,
        dataParallelSize: 2,
        hasPrefixCaching: true,
        kvEvents: [5557, 5558].map((port, rank) => ({
          kind: "zmq",
          rank,
          endpoint: `tcp://127.0.0.1:${port}`,
          replayEndpoint: undefined,
          topic: "kv-events",
        })),
        limitations: [{ code: "replay" }],
      });
      expect(await adapter.readLoad(api)).toMatchObject({
        running: 5,
        waiting: 1,
        kvUsage: 0.5,
        prefixQueries: 30,
        prefixHits: 15,
      });
    },
  );

  test("reports its limitations, and the flags", async () => {
    const info = { ...sglangInfo, kv_events_config: null, enable_cache_report: false };
    await using server = await serveAnswers({ "/server_info": info, "/v1/models": { data: [] } });
    const { limitations } = (await probeEngine(createEngineApi(server.url))).profile;
    expect(limitations.map(({ code }) => code)).toEqual(["kv-events", "cached-tokens", "load"]);
    expect(limitations.map(({ flag }) => flag?.split(" ")[0])).toEqual([
      "--kv-events-config",
      "--enable-cache-report",
      "--enable-metrics",
    ]);
  });
});

describe("TensorRT-LLM", () => {
  test("is polled for its load and its KV events", async () => {
    const block = (hash: number) => ({ block_hash: hash, tokens: [{ token_id: 1 }, { token_id: 2 }] });
    await using server = await serveAnswers({
      "/v1/models": { data: [{ id: "big", owned_by: "tensorrt_llm" }] },
      "/version": { version: "1.2.0" },
      "/openapi.json": { paths: { "/v1/models": {}, "/kv_cache_events": {} } },
      "/metrics": [
        { numActiveRequests: 9 },
        {
          numActiveRequests: 2,
          numQueuedRequests: 1,
          kvCacheStats: {
            maxNumBlocks: 100,
            usedNumBlocks: 25,
            tokensPerBlock: 32,
            reusedBlocks: 3,
            missedBlocks: 5,
          },
        },
      ],
      "/kv_cache_events": [
        { event_id: 0, data: { type: "stored", parent_hash: null, blocks: [block(5), block(6)] } },
      ],
    });
    const api = createEngineApi(server.url);
    const { adapter, profile } = await probeEngine(api);
    expect(profile).toMatchObject({
      kind: "tensorrt-llm",
      version: "1.2.0",
      blockSize: 32,
      totalBlocks: 100,
      kvEvents: [{ kind: "poll" }],
    });
    expect(await adapter.readLoad(api)).toMatchObject({
      running: 2,
      waiting: 1,
      kvUsage: 0.25,
      prefixQueries: 256,
      prefixHits: 96,
    });
    expect(server.requests).not.toContain("POST /kv_cache_events");
    const payloads: Uint8Array[] = [];
    await adapter.pollKvEvents?.(
      api,
      (payload) => payloads.push(payload),
      () => {},
    );
    expect(payloads.flatMap((payload) => decodeKvEvents(payload).events)).toMatchObject([
      { type: "stored", blockHashes: BigUint64Array.of(5n, 6n), blockSize: 2 },
    ]);
  });
});

describe("llama.cpp", () => {
  const answers: Record<string, Answer> = {
    "/v1/models": { data: [{ id: "tiny", owned_by: "llamacpp", meta: { n_ctx_train: 8192 } }] },
    "/props": {
      default_generation_settings: { n_ctx: 2048 },
      total_slots: 4,
      model_path: "/models/tiny.gguf",
      chat_template: "{{ messages }}",
      build_info: "b8000-abc",
    },
    "/slots": [
      { id: 0, is_processing: true },
      { id: 1, is_processing: false },
    ],
  };

  test("reports its slots, its template and its file", async () => {
    await using server = await serveAnswers(answers);
    const api = createEngineApi(server.url);
    const { adapter, profile } = await probeEngine(api);
    expect(profile).toMatchObject({
      kind: "llama.cpp",
      version: "b8000-abc",
      maxSequences: 4,
      kvEvents: [],
      blockSize: undefined,
      models: [
        { name: "tiny", contextLength: 2048, source: "/models/tiny.gguf", chatTemplate: "{{ messages }}" },
      ],
    });
    expect(profile.limitations.at(-1)).toMatchObject({ code: "load", flag: "--metrics" });
    expect(await adapter.readLoad(api)).toMatchObject({ running: 1, waiting: undefined });
  });

  test("reports how many requests are waiting if it has metrics", async () => {
    const metrics = "llamacpp:requests_processing 3\nllamacpp:requests_deferred 2\n";
    await using server = await serveAnswers({ ...answers, "/metrics": metrics });
    const api = createEngineApi(server.url);
    const { adapter, profile } = await probeEngine(api);
    expect(profile.limitations.map(({ code }) => code)).toEqual(["kv-events"]);
    expect(await adapter.readLoad(api)).toMatchObject({ running: 3, waiting: 2 });
  });
});
