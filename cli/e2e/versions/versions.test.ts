import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLogger, type Discovery, type JsonValue, type KvEvent, randomId } from "#runtime";
import { openDiscovery } from "#runtime/node";
import { defineWorker, type Engine, startWorker, type WorkerHost } from "#workers";
import { openEcho } from "../../../workers/echo/engine.ts";
import { type OwnGateway, startOwnGateway } from "../workers/own-gateway.ts";
import { newer, type OtherVersion, older, proxyWorker } from "./other-version.ts";

const BLOCK = 16;
const CACHED =
  "this prompt is in the worker's cache although nobody has sent it: four blocks of it, and some more";

describe.each<[string, OtherVersion]>([
  ["older", older],
  ["newer", newer],
])("a worker and a gateway of which one is one version %s", (name, version) => {
  let gateway: OwnGateway;
  let hidden: Discovery;
  let worker: WorkerHost;
  let proxy: Awaited<ReturnType<typeof proxyWorker>>;
  let publish: (events: KvEvent[]) => void;
  let stopMirroring: () => void;

  /** Echoes prompts, embeds them as their lengths, and publishes what the test tells it to. */
  const engine = (): Engine => {
    const echo = openEcho({ modelName: name });
    return {
      ...echo,
      card: {
        ...echo.card,
        apis: ["chat", "completions", "embeddings"],
        features: { ...echo.card.features, embeddings: true },
      },
      embed: async (inputs) => inputs.map(({ length }) => Float32Array.of(length, 0.5)),
      kvEvents: {
        subscribe: (listener) => {
          publish = listener;
        },
        snapshot: () => [],
      },
    };
  };

  beforeAll(async () => {
    gateway = await startOwnGateway({});
    hidden = await openDiscovery(`memory:${randomId()}`);
    worker = await startWorker({
      definition: defineWorker({ name, open: engine }),
      engineOptions: {},
      threads: 1,
      discovery: hidden,
      namespace: "test",
      name: `${name}-0`,
      listen: `unix:/tmp/stator-${randomId()}.sock`,
      opsPort: 0,
      log: createLogger({ name: "test", write: () => {} }),
    });
    proxy = await proxyWorker(worker.instance.address, version);
    // The gateway sees the worker's registration as the other version writes it.
    const show = (key: string, value: JsonValue) => {
      const moved = { ...(value as Record<string, JsonValue>), address: proxy.address };
      void gateway.discovery.put(key, version.registration(moved));
    };
    const watch = await hidden.watch("instances/", (event) => {
      if (event.type === "snapshot") for (const entry of event.entries) show(...entry);
      else if (event.type === "put") show(event.key, event.value);
      else void gateway.discovery.delete(event.key);
    });
    stopMirroring = () => watch.close();
    while ((await fetch(`${gateway.url}/health`)).status !== 200) await sleep(20);
  });

  afterAll(async () => {
    await worker.drain({ withinMs: 0, deadlineMs: 0 });
    stopMirroring();
    proxy.close();
    await hidden.close();
  });

  test("answer chats, streams and completions", async () => {
    const content = "Grüße, 🐙!";
    const messages = [{ role: "user", content }];
    const max_tokens = new TextEncoder().encode(content).length;
    const chat = { model: name, messages, max_tokens, temperature: 0.3, seed: 7 };
    const answer = await (await gateway.post("/v1/chat/completions", chat)).json();
    expect(answer.choices[0]).toMatchObject({ message: { content }, finish_reason: "length" });
    const stream = await (await gateway.post("/v1/chat/completions", { ...chat, stream: true })).text();
    const chunks = stream.split("\n").filter((line) => line.startsWith("data: {"));
    const text = chunks.map((line) => JSON.parse(line.slice(6)).choices[0]?.delta?.content ?? "").join("");
    expect(text).toBe(content);
    const completion = { model: name, prompt: content, max_tokens };
    const { choices } = await (await gateway.post("/v1/completions", completion)).json();
    expect(choices).toMatchObject([{ text: content }]);
  });

  test("embed", async () => {
    const answer = await (
      await gateway.post("/v1/embeddings", { model: name, input: ["four", "seven.."] })
    ).json();
    expect(answer.data.map(({ embedding }: { embedding: number[] }) => embedding)).toEqual([
      [4, 0.5],
      [7, 0.5],
    ]);
  });

  test("share the worker's cache events", async () => {
    const tokenIds = Uint32Array.from(new TextEncoder().encode(CACHED).subarray(0, 4 * BLOCK));
    const blockHashes = BigUint64Array.of(11n, 12n, 13n, 14n);
    publish([{ type: "stored", blockHashes, parentHash: undefined, tokenIds, blockSize: BLOCK }]);
    const overlap = async () => {
      const answer = await fetch(`${gateway.url}/v1/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-stator-explain": "true" },
        body: JSON.stringify({ model: name, prompt: CACHED, max_tokens: 1 }),
      });
      await answer.text();
      return answer.headers.get("x-stator-overlap-blocks");
    };
    await expect.poll(overlap).toBe("4");
  });

  test("use every endpoint, and warn of nothing", () => {
    expect([...proxy.called].sort()).toEqual(["embed", "generate", "kv_events", "tokenize", "vocabulary"]);
    expect(gateway.logged).toEqual([]);
  });

  test("let the worker leave", async () => {
    const response = await fetch(`${gateway.url}/admin/workers/${name}-0?within=1s`, { method: "DELETE" });
    expect(response.status).toBe(202);
    await worker.drained;
    await expect.poll(async () => (await fetch(`${gateway.url}/health`)).status).toBe(503);
  });
});
