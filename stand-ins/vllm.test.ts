import { describe, expect, onTestFinished, test } from "vitest";
import { decodeKvEvents, type KvEvent } from "#runtime";
import { ZmqKvEventSubscriber } from "#runtime/node";
import { createEngineApi, probeEngine } from "../gateway/engines/index.ts";
import { renderChat } from "./core/template.ts";
import { tokenize } from "./core/tokens.ts";
import { type StandIn, type StandInOptions, startVllm } from "./index.ts";
import { events, json, post, textOf } from "./test-client.ts";

async function start(options: StandInOptions = {}): Promise<StandIn> {
  const standIn = await startVllm(options);
  onTestFinished(() => standIn.close());
  return standIn;
}

const user = (content: string) => ({ role: "user", content });
const chatUrl = ({ url }: StandIn) => `${url}/v1/chat/completions`;
const completionsUrl = ({ url }: StandIn) => `${url}/v1/completions`;

describe("vLLM's stand-in", () => {
  test("reports everything that vLLM reports to the gateway's adapter", async () => {
    const standIn = await start({
      model: "big",
      aliases: ["default"],
      adapters: ["poet"],
      source: "/models/big",
      ranks: 2,
      kvEvents: { replayPort: 0, topic: "kv" },
    });
    const api = createEngineApi(standIn.url);
    const { adapter, profile } = await probeEngine(api);
    expect(profile).toMatchObject({
      kind: "vllm",
      startedAt: standIn.engine.startedAt,
      models: [{ name: "big", aliases: ["default"], adapters: ["poet"], source: "/models/big" }],
      blockSize: 16,
      totalBlocks: 4096,
      dataParallelSize: 2,
      hasPrefixCaching: true,
      tokenizes: "chat",
      limitations: [],
    });
    expect(profile.kvEvents).toEqual(
      standIn.kvEvents.map(({ rank, endpoint, replayEndpoint }) => ({
        kind: "zmq",
        rank,
        endpoint: endpoint.replace("*", "127.0.0.1"),
        replayEndpoint: replayEndpoint?.replace("*", "127.0.0.1"),
        topic: "kv",
      })),
    );
    const chat = { messages: [user("Hello, 世界")], tools: [{ type: "function" }] };
    expect(await adapter.tokenize(api, { model: "big", chat })).toEqual(
      Uint32Array.from(tokenize(renderChat(chat))),
    );
    expect(await adapter.tokenize(api, { model: "big", prompt: "a<|im_end|>" })).toEqual(
      Uint32Array.of(97, 257),
    );
    const partial = {
      messages: [user("Hi"), { role: "assistant", content: "part" }],
      add_generation_prompt: false,
      continue_final_message: true,
    };
    const tokens = await adapter.tokenize(api, { model: "big", chat: partial });
    expect(tokens.at(-1)).toBe("t".charCodeAt(0));
  });

  test("counts prefix cache hits in metrics and in usage", async () => {
    const standIn = await start();
    const prompt = "The quick brown fox jumps over the lazy dog.";
    const usages = [];
    for (let i = 0; i < 2; i++) {
      usages.push(
        (await json(post(completionsUrl(standIn), { model: "tiny", prompt, ignore_eos: true }))).usage,
      );
    }
    const usage = (cached_tokens: number) => ({
      prompt_tokens: 44,
      completion_tokens: 16,
      total_tokens: 60,
      prompt_tokens_details: { cached_tokens },
    });
    expect(usages).toEqual([usage(0), usage(32)]);
    const api = createEngineApi(standIn.url);
    const { adapter } = await probeEngine(api);
    expect(await adapter.readLoad(api)).toMatchObject({
      running: 0,
      waiting: 0,
      kvUsage: 0,
      prefixQueries: 88,
      prefixHits: 32,
    });
  });

  test("streams a chat in vLLM's chunks, with the same text as without streaming", async () => {
    const standIn = await start();
    const body = { model: "tiny", messages: [user("Hello")], max_tokens: 5, ignore_eos: true };
    const whole = await json(post(chatUrl(standIn), body));
    const streamed = await events(
      post(chatUrl(standIn), { ...body, stream: true, stream_options: { include_usage: true } }),
    );
    expect(streamed.at(-1)).toBe("[DONE]");
    const chunks = streamed.slice(0, -1).map((line) => JSON.parse(line));
    expect(chunks).toHaveLength(7);
    expect(chunks[0].choices[0]).toMatchObject({
      delta: { role: "assistant", content: "" },
      finish_reason: null,
    });
    expect(chunks.map(({ choices: [choice] }) => choice?.finish_reason)).toEqual([
      null,
      null,
      null,
      null,
      null,
      "length",
      undefined,
    ]);
    expect(chunks[6]).toMatchObject({ choices: [], usage: { completion_tokens: 5 } });
    expect(chunks[0]).toMatchObject({ object: "chat.completion.chunk", model: "tiny" });
    const text = chunks.map(({ choices: [choice] }) => choice?.delta.content ?? "").join("");
    expect(text).toHaveLength(5);
    expect(whole.choices).toMatchObject([
      { message: { role: "assistant", content: text }, finish_reason: "length" },
    ]);
  });

  test("continues a partial answer of a chat or a completion exactly as another one would have", async () => {
    const [one, other] = [await start(), await start()];
    const chat = { model: "tiny", messages: [user("Once upon a time")], max_tokens: 40 };
    const text = await textOf(post(chatUrl(one), { ...chat, ignore_eos: true }));
    const rest = await textOf(
      post(chatUrl(other), {
        ...chat,
        messages: [...chat.messages, { role: "assistant", content: text.slice(0, 13) }],
        max_tokens: 27,
        ignore_eos: true,
        add_generation_prompt: false,
        continue_final_message: true,
      }),
    );
    expect(text.slice(0, 13) + rest).toBe(text);
    const prompt = { model: "tiny", prompt: "Once", max_tokens: 20, ignore_eos: true };
    const answer = await textOf(post(completionsUrl(one), prompt));
    const after = { ...prompt, prompt: `Once${answer.slice(0, 7)}`, max_tokens: 13 };
    expect(answer.slice(0, 7) + (await textOf(post(completionsUrl(other), after)))).toBe(answer);
  });

  test("ends an answer at the model's end token and at stop strings", async () => {
    const standIn = await start();
    const body = { model: "tiny", prompt: "x", max_tokens: 4000 };
    const { choices, usage } = await json(post(completionsUrl(standIn), body));
    expect(choices).toMatchObject([{ finish_reason: "stop", stop_reason: null }]);
    const [{ text }] = choices as [{ text: string }];
    expect(usage).toMatchObject({ completion_tokens: text.length + 1 });
    const stop = text.slice(3, 6);
    const stopped = await json(post(completionsUrl(standIn), { ...body, stop: [stop] }));
    expect(stopped.choices).toMatchObject([
      { text: text.slice(0, text.indexOf(stop)), finish_reason: "stop", stop_reason: stop },
    ]);
  });

  test("refuses as vLLM does", async () => {
    const standIn = await start({ contextLength: 64, apiKey: "secret" });
    const refusal = async (body: object, headers = { authorization: "Bearer secret" }) => {
      const response = await post(chatUrl(standIn), body, headers);
      return { status: response.status, ...(await json(Promise.resolve(response))) };
    };
    const messages = [user("Hello")];
    expect(await refusal({ model: "nope", messages })).toEqual({
      status: 404,
      error: {
        message: "The model `nope` does not exist.",
        type: "NotFoundError",
        param: "model",
        code: 404,
      },
    });
    expect(await refusal({ model: "tiny", messages, max_tokens: 64 })).toMatchObject({
      status: 400,
      error: {
        type: "BadRequestError",
        code: 400,
        message: expect.stringContaining("maximum context length"),
      },
    });
    expect(await refusal({ model: "tiny" })).toMatchObject({ status: 400 });
    expect(await refusal({ model: "tiny", messages }, { authorization: "Bearer no" })).toMatchObject({
      status: 401,
    });
  });

  test("publishes the KV events of each rank's cache over ZeroMQ, including evictions", async () => {
    const standIn = await start({ ranks: 2, totalBlocks: 8, kvEvents: { replayPort: 0 } });
    const held = [new Set<bigint>(), new Set<bigint>()];
    let changed = () => {};
    const follow = (rank: number) => {
      const { endpoint, replayEndpoint } = standIn.kvEvents[rank]!;
      const apply = (event: KvEvent) => {
        if (event.type === "cleared") held[rank]!.clear();
        else if (event.type === "stored") for (const hash of event.blockHashes) held[rank]!.add(hash);
        else for (const hash of event.blockHashes) held[rank]!.delete(hash);
      };
      return new ZmqKvEventSubscriber({
        endpoint: endpoint.replace("*", "127.0.0.1"),
        replayEndpoint: replayEndpoint?.replace("*", "127.0.0.1"),
        onForget: () => held[rank]!.clear(),
        onPayload: (payload) => {
          const batch = decodeKvEvents(payload);
          expect(batch.dataParallelRank).toBe(rank);
          batch.events.forEach(apply);
          changed();
        },
      });
    };
    for (const rank of [0, 1]) {
      const subscriber = await follow(rank);
      onTestFinished(() => subscriber.close());
    }
    const send = (letter: string, rank: number) =>
      textOf(
        post(
          completionsUrl(standIn),
          { model: "tiny", prompt: letter.repeat(64), max_tokens: 1, ignore_eos: true },
          { "x-data-parallel-rank": String(rank) },
        ),
      );
    const until = async (sizes: number[]) => {
      while (held.some((hashes, rank) => hashes.size !== sizes[rank])) {
        await new Promise<void>((resolve) => {
          changed = resolve;
        });
      }
    };
    await send("a", 1);
    await until([0, 4]);
    for (const letter of ["a", "b", "c"]) await send(letter, 0);
    await until([8, 4]);
    await post(`${standIn.url}/reset_prefix_cache`, {});
    await until([0, 0]);
  });

  test("stops generating when the client disconnects", async () => {
    const standIn = await start({ interTokenMs: 5 });
    const client = new AbortController();
    const response = await fetch(completionsUrl(standIn), {
      method: "POST",
      body: JSON.stringify({ model: "tiny", prompt: "x", max_tokens: 4000, stream: true, ignore_eos: true }),
      signal: client.signal,
    });
    await response.body!.getReader().read();
    expect(standIn.engine.sum((rank) => rank.running)).toBe(1);
    client.abort();
    while (standIn.engine.sum((rank) => rank.running) > 0)
      await new Promise((resolve) => setTimeout(resolve, 5));
  });
});
