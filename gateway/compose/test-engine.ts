/** For tests: a gateway in this process and its attached engines. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { encode } from "@msgpack/msgpack";
import { expect } from "vitest";
import { createLogger } from "#runtime";
import { openDiscovery, ZmqKvEventPublisher } from "#runtime/node";
import { openAtPort } from "#stand-ins";
import { afterEveryTest } from "../../scripts/testing/after-tests.ts";
import { stall } from "../../scripts/testing/stall.ts";
import { createPortableEncoder } from "../adapters/portable-encoder.ts";
import { openKvFeed, workerConnector } from "../adapters/sockets.ts";
import { openWebEventStream } from "../kernel/event-stream.ts";
import { routerModule } from "../routing/test-model.ts";
import { FetchTransport } from "../wire/fetch-transport.ts";
import { createGateway, type Gateway, type GatewayOptions, type Platform } from "./create-gateway.ts";

const log = createLogger({ name: "test", level: "error", write: () => {} });
let opened: (() => unknown)[] = [];

afterEveryTest(async () => {
  for (const close of opened.reverse()) await close();
  opened = [];
});

/** Starts a gateway that checks its engines often. */
export async function attach(
  engines: readonly FaultyEngine[],
  more: Partial<GatewayOptions> = {},
  platform: Partial<Platform> = {},
): Promise<Gateway> {
  const gateway = await createGateway(
    {
      discovery: await openDiscovery(`memory:${crypto.randomUUID()}`),
      bodyLimit: 1_000_000,
      timeoutMs: 10_000,
      engines: engines.map(({ url, name }) => ({ url, name })),
      health: { intervalMs: 20, timeoutMs: 100 * stall(), slowStartMs: 0 },
      log,
      version: "0.0.0",
      ...more,
    },
    {
      routerModule,
      transport: new FetchTransport(),
      openEventStream: openWebEventStream,
      createEncoder: createPortableEncoder,
      files: undefined,
      openKvFeed,
      connectWorker: workerConnector(),
      ...platform,
    },
  );
  opened.push(() => gateway.close());
  await expect.poll(() => gateway.engines.engines.every(({ state }) => state === "ready")).toBe(true);
  return gateway;
}

export const ask = async (gateway: Gateway, path: string, body?: object) => {
  const host = { host: "127.0.0.1" };
  const init =
    body === undefined
      ? { headers: host }
      : {
          method: "POST",
          headers: { ...host, "content-type": "application/json" },
          body: JSON.stringify(body),
        };
  const response = await gateway.fetch(new Request(`http://127.0.0.1${path}`, init));
  const text = await response.text();
  return { status: response.status, text, body: text.startsWith("{") ? JSON.parse(text) : {} };
};
export const chat = (gateway: Gateway, model = "tiny") =>
  ask(gateway, "/v1/chat/completions", { model, messages: [{ role: "user", content: "hi" }] });
export const models = async (gateway: Gateway): Promise<string[]> =>
  (await ask(gateway, "/v1/models")).body.data.map(({ id }: { id: string }) => id).sort();

export const hashesOf = (token: number, blocks: number) =>
  Array.from({ length: blocks }, (_, index) => token * 1000 + index);

/** The event of the blocks of a prompt that repeats one token. */
export const stored = (token: number, blocks: number, size = 16, more: object = {}) => ({
  type: "BlockStored",
  block_hashes: hashesOf(token, blocks),
  token_ids: Array(blocks * size).fill(token),
  block_size: size,
  ...more,
});

/** How many blocks of a prompt that repeats `token` 129 times the engine is known to hold. */
export async function overlap(gateway: Gateway, engine: FaultyEngine, token: number): Promise<number> {
  const headers = {
    "content-type": "application/json",
    "x-stator-explain": "true",
    "x-stator-worker": engine.name,
  };
  const body = JSON.stringify({ model: "tiny", prompt: Array(129).fill(token), max_tokens: 1 });
  const request = new Request("http://127.0.0.1/v1/completions", { method: "POST", headers, body });
  const response = await gateway.fetch(request);
  await response.text();
  expect(response.status).toBe(200);
  return Number(response.headers.get("x-stator-overlap-blocks"));
}

/** A fake engine whose faults a test can set. */
export class FaultyEngine {
  readonly name = crypto.randomUUID().slice(0, 8);
  kind: "vllm" | "openai";
  models = ["tiny"];
  adapters: string[] = [];
  /** Whether it loads adapters while it runs; and what it answers in place of doing so. */
  hasLoraUpdates = true;
  loraRefusal: readonly [status: number, body: object] | undefined;
  onLora: () => void = () => {};
  startedAt = 1_000;
  /** Tokens per KV block in its metrics. */
  blockSize = 16;
  #events: ZmqKvEventPublisher | undefined;
  /** Accepts requests, and answers none. */
  isHung = false;
  isHungForChecks = false;
  /** The key that requests under `/v1/` need. */
  key: string | undefined;
  /** The statuses of `/metrics`, `/health` and completions. */
  metrics = 200;
  health = 200;
  status = 200;
  onMetrics: () => void = () => {};
  readonly #paths: string[] = [];
  #server = createServer();
  #port = 0;

  static async start(kind: "vllm" | "openai"): Promise<FaultyEngine> {
    const engine = new FaultyEngine(kind);
    await engine.listen();
    opened.push(() => engine.die());
    return engine;
  }

  constructor(kind: "vllm" | "openai") {
    this.kind = kind;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts publishing KV events; call it before a gateway attaches the engine. */
  async openEvents(): Promise<void> {
    const events = await ZmqKvEventPublisher.open({ endpoint: "tcp://127.0.0.1:0" });
    this.#events = events;
    opened.push(() => events.close());
  }

  /** How many gateways follow its KV events. */
  get subscribers(): number {
    return this.#events?.subscribers ?? 0;
  }

  /** Publishes a batch of events in wire format. */
  publish(...events: unknown[]): void {
    this.#events?.publish(encode([0, events, 0]));
  }

  count(path: string): number {
    return this.#paths.filter((each) => each === path).length;
  }

  async listen(): Promise<void> {
    this.#server = createServer(async (request, response) => {
      const { method, url: path = "" } = request;
      this.#paths.push(path);
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      if (this.isHung || (this.isHungForChecks && method === "GET")) return;
      const isKnown = this.key === undefined || request.headers.authorization === `Bearer ${this.key}`;
      if (path.startsWith("/v1/") && !isKnown) {
        response.writeHead(401).end();
        return;
      }
      const [status, body] = this.#answer(path, Buffer.concat(chunks).toString());
      const type = typeof body === "string" ? "text/plain" : "application/json";
      response.writeHead(status, { "content-type": type });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    });
    // Reuses its port after `die`.
    await openAtPort(
      this.#port,
      (port) =>
        new Promise<void>((resolve, reject) => {
          this.#server.once("error", reject).listen(port, "127.0.0.1", resolve);
        }),
    );
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async die(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(path: string, text: string): [status: number, body: object | string] {
    const body = text === "" ? {} : JSON.parse(text);
    const owner = this.kind === "vllm" ? "vllm" : "somebody";
    switch (path) {
      case "/v1/models": {
        const own = this.models.map((id) => ({ id, owned_by: owner }));
        const adapters = this.adapters.map((id) => ({ id, owned_by: owner, parent: this.models[0] }));
        return [200, { object: "list", data: [...own, ...adapters] }];
      }
      case "/v1/completions":
      case "/v1/chat/completions":
        if (![...this.models, ...this.adapters].includes(body.model))
          return [404, { error: { message: "no such model", type: "NotFoundError", code: 404 } }];
        return [this.status, this.status === 200 ? COMPLETION : { error: { message: "broken" } }];
    }
    if (this.kind === "openai") return [404, {}];
    if (path.endsWith("load_lora_adapter")) {
      this.onLora();
      if (!this.hasLoraUpdates) return [404, { detail: "Not Found" }];
      if (this.loraRefusal !== undefined) return [...this.loraRefusal];
    }
    switch (path) {
      case "/v1/load_lora_adapter":
        this.adapters.push(body.lora_name);
        return [200, "Success"];
      case "/v1/unload_lora_adapter":
        this.adapters = this.adapters.filter((each) => each !== body.lora_name);
        return [200, "Success"];
      case "/version":
        return [200, { version: "0.32.0" }];
      case "/health":
        return [this.health, ""];
      case "/kv_event_sources":
        return this.#events === undefined ? [404, {}] : [200, { 0: { endpoint: this.#events.endpoint } }];
      case "/metrics":
        this.onMetrics();
        return [
          this.metrics,
          `vllm:cache_config_info{block_size="${this.blockSize}",enable_prefix_caching="True"} 1\nprocess_start_time_seconds ${this.startedAt}\n`,
        ];
      default:
        return [404, {}];
    }
  }
}

const COMPLETION = {
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "tiny",
  choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "yes" } }],
};
