import { describe, expect, onTestFinished, test } from "vitest";
import { decodeKvEvents, type KvEvent } from "#runtime";
import { ZmqKvEventSubscriber } from "#runtime/node";
import { createEngineApi, type EngineKind, probeEngine } from "../gateway/engines/index.ts";
import { renderChat } from "./core/template.ts";
import { tokenize } from "./core/tokens.ts";
import { type StandIn, type StandInOptions, startStandInOf } from "./index.ts";
import { events, json, post, textOf } from "./test-client.ts";

const KINDS = ["vllm", "sglang", "tensorrt-llm", "llama.cpp"] as const satisfies readonly EngineKind[];

async function start(kind: string, options: StandInOptions = {}): Promise<StandIn> {
  const standIn = await startStandInOf(kind, options);
  onTestFinished(() => standIn.close());
  return standIn;
}

const messages = [{ role: "user", content: "Once upon a time" }];
const body = { model: "tiny", messages, max_tokens: 30, ignore_eos: true };
const chat = ({ url }: StandIn, more: object = {}) =>
  post(`${url}/v1/chat/completions`, { ...body, ...more });

/** The blocks in the cache after these events. */
function heldAfter(events: readonly KvEvent[]): Map<bigint, Uint32Array> {
  const held = new Map<bigint, Uint32Array>();
  for (const event of events) {
    if (event.type === "cleared") held.clear();
    else if (event.type === "removed") for (const hash of event.blockHashes) held.delete(hash);
    else {
      event.blockHashes.forEach((hash, index) => {
        held.set(hash, event.tokenIds.slice(index * event.blockSize, (index + 1) * event.blockSize));
      });
    }
  }
  return held;
}

test("all stand-ins generate the same text for the same chat and prompt", async () => {
  const standIns = await Promise.all(KINDS.map((kind) => start(kind)));
  const chats = await Promise.all(standIns.map((standIn) => textOf(chat(standIn))));
  expect(new Set(chats).size).toBe(1);
  expect(chats[0]).toMatch(/^[a-z ]{30}$/);
  const prompt = renderChat({ messages });
  const request = { model: "tiny", prompt, max_tokens: 30, ignore_eos: true };
  const texts = standIns.map(({ url }) => textOf(post(`${url}/v1/completions`, request)));
  expect(await Promise.all(texts)).toEqual(chats);
});

describe.each(KINDS)("the stand-in of %s", (kind) => {
  test("is recognized by the gateway, with its load", async () => {
    const standIn = await start(kind, { source: "/models/tiny", interTokenMs: 1_000 });
    const api = createEngineApi(standIn.url);
    const { adapter, profile } = await probeEngine(api);
    expect(profile).toMatchObject({ kind, models: [{ name: "tiny" }] });
    // It fails when the stand-in is closed.
    chat(standIn).catch(() => {});
    while (standIn.engine.sum((rank) => rank.running) === 0)
      await new Promise((resolve) => setImmediate(resolve));
    expect(await adapter.readLoad(api)).toMatchObject({ running: 1, waiting: 0 });
  });

  test("is not recognized without its key", async () => {
    const standIn = await start(kind, { apiKey: "secret" });
    const probe = (apiKey: string | undefined) => probeEngine(createEngineApi(standIn.url, { apiKey }));
    await expect(probe(undefined)).rejects.toMatchObject({ code: "bad_status", status: 401 });
    await expect(probe("wrong")).rejects.toMatchObject({ code: "bad_status", status: 401 });
    expect((await probe("secret")).profile.kind).toBe(kind);
  });

  test("streams the same answer as without streaming, and reports its cache hits", async () => {
    const standIn = await start(kind);
    const whole = await json(chat(standIn));
    const streamed = await events(chat(standIn, { stream: true, stream_options: { include_usage: true } }));
    expect(streamed.pop()).toBe("[DONE]");
    const chunks = streamed.map((line) => JSON.parse(line));
    const text = chunks.map(({ choices: [choice] }) => choice?.delta.content ?? "").join("");
    expect(whole.choices).toMatchObject([
      { message: { role: "assistant", content: text }, finish_reason: "length" },
    ]);
    expect(chunks[0].choices[0].delta.role).toBe("assistant");
    const reasons = chunks.map(({ choices: [choice] }) => choice?.finish_reason ?? null);
    expect(reasons.filter((reason) => reason !== null)).toEqual(["length"]);
    const prompt = tokenize(renderChat({ messages })).length;
    const found = Math.floor((prompt - 1) / standIn.engine.blockSize) * standIn.engine.blockSize;
    expect(whole.usage).toMatchObject({
      prompt_tokens: prompt,
      completion_tokens: 30,
      total_tokens: prompt + 30,
    });
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { completion_tokens: 30, prompt_tokens_details: { cached_tokens: found } },
    });
  });

  test("refuses prompts that do not fit, and unknown routes", async () => {
    const standIn = await start(kind, { contextLength: 32 });
    expect((await chat(standIn)).status).toBe(400);
    expect((await fetch(`${standIn.url}/nowhere`)).status).toBe(404);
    expect((await post(`${standIn.url}/v1/chat/completions`, { model: "tiny" })).status).toBe(400);
  });
});

describe.each(["vllm", "sglang"])("the KV events of %s", (kind) => {
  test("are published at the endpoints that it reports, for each rank", async () => {
    const standIn = await start(kind, { ranks: 2, kvEvents: { replayPort: 0, topic: "kv" } });
    const { profile } = await probeEngine(createEngineApi(standIn.url));
    expect(profile.limitations).toEqual([]);
    expect(profile.kvEvents).toHaveLength(2);
    for (const source of profile.kvEvents) {
      if (source.kind !== "zmq") throw new Error("not ZeroMQ");
      const received: KvEvent[] = [];
      const arrived = Promise.withResolvers<void>();
      const subscriber = new ZmqKvEventSubscriber({
        ...source,
        onForget: () => {},
        onPayload: (payload) => {
          const batch = decodeKvEvents(payload);
          expect(batch.dataParallelRank).toBe(source.rank);
          received.push(...batch.events);
          if (received.length > 0) arrived.resolve();
        },
      });
      onTestFinished(() => subscriber.close());
      const headers = { "x-data-parallel-rank": String(source.rank) };
      await (await post(`${standIn.url}/v1/chat/completions`, body, headers)).text();
      await arrived.promise;
      const [first] = heldAfter(received).values();
      expect(Array.from(first!)).toEqual(tokenize(renderChat({ messages })).slice(0, 16));
    }
  });
});

test("the KV events of tensorrt-llm are polled, without its partial blocks", async () => {
  const standIn = await start("tensorrt-llm", { totalBlocks: 8 });
  const api = createEngineApi(standIn.url);
  const { adapter, profile } = await probeEngine(api);
  expect(profile.kvEvents).toEqual([{ kind: "poll" }]);
  const received: KvEvent[] = [];
  const poll = () => {
    return adapter.pollKvEvents!(
      api,
      (payload) => received.push(...decodeKvEvents(payload).events),
      (what) => expect.fail(what),
    );
  };
  await (await chat(standIn)).text();
  await poll();
  const tokens = tokenize(renderChat({ messages }) + (await textOf(chat(standIn))));
  const whole = Math.floor((tokens.length - 1) / 16);
  expect(Array.from(heldAfter(received).values(), (block) => [...block]).flat()).toEqual(
    tokens.slice(0, whole * 16),
  );
  await (await chat(standIn, { messages: [{ role: "user", content: "x".repeat(60) }] })).text();
  await poll();
  expect(received.some(({ type }) => type === "removed")).toBe(true);
  expect(heldAfter(received).size).toBeLessThanOrEqual(8);
  expect(standIn.requests.filter((name) => name.endsWith("/kv_cache_events"))).toHaveLength(2);
});

describe("llama.cpp's stand-in", () => {
  test("renders and tokenizes chats, and always continues a partial answer", async () => {
    const standIn = await start("llama.cpp", { aliases: ["default"], source: "/models/tiny.gguf" });
    const api = createEngineApi(standIn.url);
    const { adapter, profile } = await probeEngine(api);
    expect(profile.models).toMatchObject([
      { name: "tiny", aliases: ["default"], source: "/models/tiny.gguf", contextLength: 8192 },
    ]);
    expect(profile.maxSequences).toBe(4);
    const tokens = await adapter.tokenize(api, { model: "tiny", chat: { messages, stream: true } });
    expect(tokens).toEqual(Uint32Array.from(tokenize(renderChat({ messages }))));
    const text = await textOf(chat(standIn));
    const partial = [...messages, { role: "assistant", content: text.slice(0, 11) }];
    expect(text.slice(0, 11) + (await textOf(chat(standIn, { messages: partial, max_tokens: 19 })))).toBe(
      text,
    );
  });

  test("reports its load by its slots if it has no metrics", async () => {
    const standIn = await start("llama.cpp", { hasMetrics: false });
    const api = createEngineApi(standIn.url);
    const { adapter, profile } = await probeEngine(api);
    expect(profile.limitations.at(-1)?.flag).toBe("--metrics");
    expect(await adapter.readLoad(api)).toMatchObject({ running: 0, waiting: undefined });
  });
});

test("SGLang's stand-in tokenizes only text", async () => {
  const standIn = await start("sglang");
  const api = createEngineApi(standIn.url);
  const { adapter, profile } = await probeEngine(api);
  expect(profile.tokenizes).toBe("text");
  expect(await adapter.tokenize(api, { model: "tiny", prompt: "ab" })).toEqual(Uint32Array.of(97, 98));
  await expect(adapter.tokenize(api, { model: "tiny", chat: { messages } })).rejects.toMatchObject({
    code: "unsupported",
  });
});
