import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createLogger } from "#runtime";
import { openDiscovery } from "#runtime/node";
import type { ApiKey } from "../access/api-key.ts";
import { createPortableEncoder } from "../adapters/portable-encoder.ts";
import { openWebEventStream } from "../kernel/event-stream.ts";
import { Acceptors } from "../remote/router/acceptors.ts";
import { testChannels } from "../remote/test-channels.ts";
import { routerModule } from "../routing/test-model.ts";
import { FetchTransport } from "../wire/fetch-transport.ts";
import { type Acceptor, createAcceptor } from "./create-acceptor.ts";
import { createGateway, type Gateway } from "./create-gateway.ts";

const log = createLogger({ name: "test", level: "error", write: () => {} });
const common = {
  bodyLimit: 1_000_000,
  timeoutMs: 10_000,
  preferenceDefaults: { session: "none", tenant: "none" },
  log,
} as const;

const platform = () => ({
  transport: new FetchTransport(),
  openEventStream: openWebEventStream,
  createEncoder: createPortableEncoder,
  files: undefined,
  connectWorker: undefined,
});

let engines: FileEngine[];
let gateway: Gateway;
let acceptors: Acceptors;
let leave: (() => void)[];

beforeEach(async () => {
  engines = [await FileEngine.start("a"), await FileEngine.start("b")];
  acceptors = new Acceptors(log);
  leave = [];
  gateway = await createGateway(
    {
      ...common,
      discovery: await openDiscovery("memory:acceptors"),
      engines: engines.map(({ url, name }) => ({ url, name })),
      readOtherMetrics: () => acceptors.metrics(),
      version: "0.0.0",
    },
    { ...platform(), routerModule, openKvFeed: undefined },
  );
});

afterEach(async () => {
  for (const each of leave) each();
  gateway.close();
  await Promise.all(engines.map((engine) => engine.close()));
});

/** Adds an acceptor, and waits until it knows both engines. */
async function addAcceptor(keys?: readonly ApiKey[]): Promise<Acceptor> {
  const { acceptor: acceptorEnd, router } = testChannels();
  const requestOptions = {};
  const acceptor = await createAcceptor(
    {
      ...common,
      translate: "auto" as const,
      stabilisesPrefix: false,
      id: "a",
      tokenizers: new Map(),
      requestOptions,
      access: { keys },
    },
    acceptorEnd,
    platform(),
  );
  leave.push(acceptors.join(router, gateway), () => acceptor.close());
  if (keys === undefined)
    await expect.poll(async () => (await get(acceptor, "/v1/models")).body.data).toHaveLength(1);
  await expect.poll(async () => (await get(acceptor, "/health")).status).toBe(200);
  return acceptor;
}

const get = async (acceptor: Acceptor, path: string, init?: RequestInit) => {
  const response = await acceptor.fetch(new Request(`http://127.0.0.1${path}`, init));
  const text = await response.text();
  return { status: response.status, text, body: text.startsWith("{") ? JSON.parse(text) : undefined };
};

it("finds an engine's resource, whichever acceptor created it", async () => {
  const [one, two] = [await addAcceptor(), await addAcceptor()];
  const body = JSON.stringify({ model: "tiny" });
  const headers = { "content-type": "application/json" };
  for (let round = 0; round < 6; round++) {
    const made = await get(one, "/v1/files", { method: "POST", headers, body });
    expect(made.status).toBe(200);
    expect(await get(two, `/v1/files/${made.body.id}`)).toMatchObject({ status: 200, body: made.body });
  }
});

it("sums the acceptors' metrics, including those that have exited", async () => {
  const [one, two] = [await addAcceptor(), await addAcceptor()];
  const requests = async (acceptor: Acceptor) =>
    /^stator_requests_total\{[^}]*status="404"[^}]*\} (\d+)/m.exec(
      (await get(acceptor, "/metrics")).text,
    )?.[1];
  for (const acceptor of [one, one, two]) await get(acceptor, "/v1/files/nothing");
  expect(await requests(two)).toBe("3");
  leave[0]!();
  expect(await requests(two)).toBe("3");
});

it("answers an acceptor even if it cannot handle its request", async () => {
  const { acceptor, router } = testChannels();
  leave.push(acceptors.join(router, gateway));
  const answers: unknown[] = [];
  acceptor.onMessage = (message) => void (message.type === "answer" && answers.push(message));
  // A method that `Request` does not allow.
  const request = { method: "TRACE", url: "http://127.0.0.1/", headers: [], body: undefined };
  acceptor.send({ type: "ask", id: 1, request });
  await expect.poll(() => answers).toMatchObject([{ id: 1, answer: { status: 500 } }]);
});

it("requires a key before anything else", async () => {
  const acceptor = await addAcceptor([]);
  for (const path of ["/", "/docs", "/metrics", "/v1/models"])
    expect(await get(acceptor, path)).toMatchObject({ status: 401 });
  expect((await get(acceptor, "/health")).status).toBe(200);
});

it("frees the load booked by an acceptor that has exited", async () => {
  const acceptor = await addAcceptor();
  for (const engine of engines) engine.isSilent = true;
  const running = get(acceptor, "/v1/files/something");
  const booked = async () =>
    /^stator_worker_active_requests\{.*\} 1$/m.test(await (await gateway.fetch(metrics())).text());
  await expect.poll(booked).toBe(true);
  leave[0]!();
  expect(await booked()).toBe(false);
  for (const engine of engines) engine.answer();
  await running;
});

it("lists models that come and go, and probes an engine again if it no longer has one", async () => {
  const acceptor = await addAcceptor();
  const listed = async () =>
    (await get(acceptor, "/v1/models")).body.data.map(({ id }: { id: string }) => id).sort();
  const body = JSON.stringify({ model: "more", messages: [] });
  const chat = () =>
    get(acceptor, "/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
  for (const engine of engines) engine.models = ["tiny", "more"];
  await expect.poll(listed).toEqual(["more", "tiny"]);
  for (const engine of engines) engine.models = ["tiny"];
  expect((await chat()).status).toBe(404);
  await expect.poll(listed).toEqual(["tiny"]);
});

it("loads a LoRA adapter into all engines, whichever acceptor is asked, and all of them know it", async () => {
  const [one, two] = [await addAcceptor(), await addAcceptor()];
  const headers = { "content-type": "application/json", host: "127.0.0.1" };
  const body = JSON.stringify({ lora_name: "sql", lora_path: "/adapters/sql" });
  const loaded = await get(one, "/v1/load_lora_adapter", { method: "POST", headers, body });
  expect(loaded).toMatchObject({ status: 200, text: "Success: LoRA adapter 'sql' added successfully." });
  expect(engines.map(({ hasAdapter }) => hasAdapter)).toEqual([true, true]);
  for (const acceptor of [one, two])
    await expect
      .poll(async () => (await get(acceptor, "/v1/models")).body.data)
      .toMatchObject([{ id: "tiny" }, { id: "sql", parent: "tiny" }]);
});

it("rejects requests with a reason when the router process has exited", async () => {
  const acceptor = await addAcceptor();
  acceptor.onRouterGone();
  for (const path of ["/v1/files/something", "/health"])
    expect(await get(acceptor, path)).toMatchObject({
      status: 503,
      body: { error: { code: "gateway_stops" } },
    });
});

const metrics = () => new Request("http://127.0.0.1/metrics");

/** A server of OpenAI's API that stores files. */
class FileEngine {
  readonly name: string;
  models = ["tiny"];
  /** Whether it has loaded its LoRA adapter `sql`. */
  hasAdapter = false;
  /** Holds answers back until `answer`. */
  isSilent = false;
  readonly #server = createServer();
  readonly #kept = new Set<string>();
  #held: (() => void)[] = [];

  static async start(name: string): Promise<FileEngine> {
    const engine = new FileEngine(name);
    await new Promise<void>((resolve) => engine.#server.listen(0, "127.0.0.1", resolve));
    return engine;
  }

  private constructor(name: string) {
    this.name = name;
    this.#server.on("request", ({ method, url = "" }, response) => {
      const answer = (status: number, json: object) => {
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
      };
      const id = url.split("/")[3] ?? "";
      if (url === "/v1/models") {
        const model = (id: string, parent?: string) => ({ id, object: "model", parent });
        const adapters = this.hasAdapter ? [model("sql", "tiny")] : [];
        answer(200, { object: "list", data: [...this.models.map((id) => model(id)), ...adapters] });
      } else if (url === "/v1/load_lora_adapter") {
        this.hasAdapter = true;
        answer(200, {});
      } else if (this.isSilent) this.#held.push(() => answer(404, {}));
      else if (method === "POST" && url === "/v1/files") {
        const made = `file-${name}-${this.#kept.size}`;
        this.#kept.add(made);
        answer(200, { id: made });
      } else if (this.#kept.has(id)) answer(200, { id });
      else answer(404, { error: { message: "There is no such file here." } });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  answer(): void {
    for (const held of this.#held) held();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
