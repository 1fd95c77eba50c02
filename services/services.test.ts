import { setTimeout as sleep } from "node:timers/promises";
import { create, isMessage } from "@bufbuild/protobuf";
import { afterEach, describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { type GenerateRequest, GenerateRequestSchema, TokenizeRequestSchema } from "#proto";
import { createLogger, type Discovery, randomId } from "#runtime";
import { openDiscovery } from "#runtime/node";
import { hasEtcd, startEtcd } from "../runtime/discovery/etcd/test-etcd.ts";
import { hasNats, startNats } from "../runtime/testing/nats-server.ts";
import { temporaryFolder } from "../scripts/testing/temporary-folder.ts";
import { anyCodec, protobuf } from "./codec.ts";
import { type ConnectServiceOptions, connectService } from "./connect-service.ts";
import { defineService, endpoint, type ServiceContext } from "./define-service.ts";
import { type ServedService, serveService } from "./serve-service.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const log = createLogger({ name: "test", write: () => {} });

let aborted = Promise.withResolvers<unknown>();

const counter = defineService({
  name: "counter",
  endpoints: {
    async *count(
      { to, delayMs = 0 }: { to: number; delayMs?: number },
      { signal, instance }: ServiceContext,
    ) {
      signal.addEventListener("abort", () => aborted.resolve(signal.reason));
      for (let number = 0; number < to; number++) {
        if (delayMs > 0) await sleep(delayMs);
        yield { number, instance };
      }
    },
    add: endpoint({
      request: z.object({ one: z.number(), other: z.number() }),
      response: z.number(),
      handle: async ({ one, other }) => one + other,
    }),
    async whoAnswers(_: null, { instance, requestId }: ServiceContext) {
      return { instance, requestId };
    },
    async bytes(given: Uint8Array) {
      return given.map((byte) => 255 - byte);
    },
    // biome-ignore lint/correctness/useYield: it fails before its first item
    async *fail(message: string): AsyncGenerator<number> {
      throw new Error(message);
    },
  },
});

async function serveAs(name: string, discovery: string | Discovery, more = {}): Promise<ServedService> {
  const isMemory = typeof discovery !== "string" || discovery.startsWith("memory:");
  const served = await serveService(counter, {
    discovery,
    name,
    log,
    ...(isMemory && { listen: `memory:${randomId()}` }),
    ...more,
  });
  let isGone = false;
  const drain = async (deadlineMs: number) => {
    if (!isGone) await served.drain(deadlineMs);
    isGone = true;
  };
  closing.push(() => drain(0));
  return { ...served, drain };
}

async function connectTo(discovery: string | Discovery, options: Partial<ConnectServiceOptions> = {}) {
  const client = await connectService(counter, { discovery, log, ...options });
  closing.push(() => client.close());
  return client;
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function memory(): Promise<Discovery> {
  const discovery = await openDiscovery(`memory:${randomId()}`);
  closing.push(() => discovery.close());
  return discovery;
}

const stores: [string, boolean, () => Promise<{ url: string; flags?: object }>][] = [
  ["files", true, async () => ({ url: `file:${temporaryFolder()}` })],
  [
    "etcd",
    hasEtcd,
    async () => {
      const server = await startEtcd();
      closing.push(() => server[Symbol.asyncDispose]());
      return { url: `etcd://${server.host}` };
    },
  ],
  [
    "NATS",
    hasNats,
    async () => {
      const server = await startNats();
      closing.push(() => server[Symbol.asyncDispose]());
      return { url: `nats://${server.host}`, flags: { listen: "nats:" } };
    },
  ],
];

describe.each(stores)("a service found through %s", (_, isThere, start) => {
  test.runIf(isThere)("streams, answers once, and is told who asks", async () => {
    const { url, flags } = await start();
    await serveAs("one", url, flags);
    const client = await connectTo(url);
    await client.ready();
    expect(client.instances()).toEqual(["one"]);
    expect(await all(client.count({ to: 300 }))).toEqual(
      Array.from({ length: 300 }, (_, number) => ({ number, instance: "one" })),
    );
    expect(await client.add({ one: 20, other: 22 })).toBe(42);
    expect(await client.whoAnswers(null, { requestId: "mine" })).toEqual({
      instance: "one",
      requestId: "mine",
    });
    expect(await client.bytes(Uint8Array.of(0, 1, 255))).toEqual(Uint8Array.of(255, 254, 0));
  });
});

test("types come from the definition", async () => {
  const client = await connectTo(await memory());
  expectTypeOf(client.count).parameter(0).toEqualTypeOf<{ to: number; delayMs?: number }>();
  expectTypeOf(client.count({ to: 0 })).toEqualTypeOf<AsyncIterable<{ number: number; instance: string }>>();
  expectTypeOf(client.add).returns.toEqualTypeOf<Promise<number>>();
});

test("requests go round by default, and where the policy says", async () => {
  const discovery = await memory();
  for (const name of ["one", "two", "three"]) await serveAs(name, discovery);
  const client = await connectTo(discovery);
  await expect.poll(() => client.instances().length).toBe(3);
  const names = async (count: number, who = client) =>
    Promise.all(Array.from({ length: count }, async () => (await who.whoAnswers(null)).instance));
  expect(new Set(await names(3))).toEqual(new Set(["one", "two", "three"]));
  const tokens = new Map<null, Uint32Array>();
  tokens.set(
    null,
    Uint32Array.from({ length: 64 }, (_, index) => index),
  );
  const sticky = await connectTo(discovery, { policy: "prefix-hash", tokensOf: () => tokens.get(null)! });
  await expect.poll(() => sticky.instances().length).toBe(3);
  const stuck = new Set<string>();
  for (let round = 0; round < 9; round++) stuck.add((await sticky.whoAnswers(null)).instance);
  expect(stuck.size).toBe(1);
  expect((await client.whoAnswers(null, { instance: "two" })).instance).toBe("two");
});

test("an instance that leaves ends its streams, and gets no more requests", async () => {
  const discovery = await memory();
  const one = await serveAs("one", discovery);
  const client = await connectTo(discovery);
  const stream = client.count({ to: 20, delayMs: 5 })[Symbol.asyncIterator]();
  await stream.next();
  await serveAs("two", discovery);
  await expect.poll(() => client.instances().length).toBe(2);
  const left = one.drain(10_000);
  await expect.poll(() => client.instances()).toEqual(["two"]);
  for (let round = 0; round < 4; round++) expect((await client.whoAnswers(null)).instance).toBe("two");
  let rest = 1;
  while ((await stream.next()).done !== true) rest++;
  expect(rest).toBe(20);
  await left;
});

test("an unknown policy is refused with the names of those there are", async () => {
  const policy = "bogus" as "kv";
  await expect(connectTo(await memory(), { policy })).rejects.toThrow(
    "'bogus' is no policy: use one of kv, round-robin, random",
  );
});

test.each(["kv", "prefix-hash"] as const)("the policy %s compares plain arrays, too", async (policy) => {
  const discovery = await memory();
  for (const name of ["one", "two", "three"]) await serveAs(name, discovery);
  const tokens = Array.from({ length: 64 }, (_, index) => index);
  const client = await connectTo(discovery, { policy, tokensOf: () => tokens });
  await expect.poll(() => client.instances().length).toBe(3);
  const used = new Set<string>();
  for (let round = 0; round < 6; round++) used.add((await client.whoAnswers(null)).instance);
  expect(used.size).toBe(1);
});

describe("a request", () => {
  test("that its client cancels, or no longer reads, is aborted", async () => {
    const discovery = await memory();
    await serveAs("one", discovery);
    const client = await connectTo(discovery);
    aborted = Promise.withResolvers();
    for await (const { number } of client.count({ to: 1e9, delayMs: 1 })) if (number === 3) break;
    expect(await aborted.promise).toMatchObject({ code: "cancelled" });
    aborted = Promise.withResolvers();
    const abort = new AbortController();
    const answer = all(client.count({ to: 1e9, delayMs: 1 }, { signal: abort.signal }));
    await sleep(20);
    abort.abort(new Error("enough"));
    await expect(answer).rejects.toThrow("enough");
    expect(await aborted.promise).toMatchObject({ code: "cancelled" });
  });

  test("has a deadline on both sides", async () => {
    const discovery = await memory();
    await serveAs("one", discovery);
    const client = await connectTo(discovery);
    aborted = Promise.withResolvers();
    const answer = all(client.count({ to: 1e9, delayMs: 1 }, { deadlineMs: 30 }));
    await expect(answer).rejects.toMatchObject({ code: "deadline_exceeded" });
    expect(await aborted.promise).toMatchObject({
      code: expect.stringMatching(/deadline_exceeded|cancelled/),
    });
  });

  test.each([0, -1, Number.NaN])("with %s ms left fails at once", async (deadlineMs) => {
    const discovery = await memory();
    await serveAs("one", discovery);
    const client = await connectTo(discovery);
    await client.ready();
    await expect(client.add({ one: 1, other: 1 }, { deadlineMs })).rejects.toMatchObject({
      code: "deadline_exceeded",
    });
  });

  test("waits for an instance no longer than its deadline", async () => {
    const client = await connectTo(await memory());
    await expect(client.add({ one: 1, other: 1 }, { deadlineMs: 20 })).rejects.toMatchObject({
      code: "deadline_exceeded",
    });
  });

  test("fails at once when its client is closed, before or while it waits", async () => {
    const client = await connectTo(await memory(), { waitMs: 60_000 });
    const closed = { code: "connection_lost", message: "The client is closed." };
    const waiting = expect(client.add({ one: 1, other: 1 })).rejects.toMatchObject(closed);
    await client.close();
    await waiting;
    await expect(client.add({ one: 1, other: 1 })).rejects.toMatchObject(closed);
    await expect(client.ready()).rejects.toMatchObject(closed);
  });

  test("that is not valid is refused with the reason", async () => {
    const discovery = await memory();
    await serveAs("one", discovery);
    const client = await connectTo(discovery);
    const wrong = { one: "twenty", other: 22 } as unknown as { one: number; other: number };
    await expect(client.add(wrong)).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("expected number"),
    });
    await expect(all(client.fail("out of order"))).rejects.toMatchObject({
      code: "internal",
      message: "out of order",
    });
  });

  test("whose answer is not valid fails with the endpoint and the field", async () => {
    const wrong = (response: unknown) => async (_: null) => response as { sums: number[] };
    const response = z.object({ sums: z.array(z.number()) });
    const service = defineService({
      name: "wrong",
      endpoints: { sum: endpoint({ response, handle: wrong({ sums: [1, "two"] }) }) },
    });
    const discovery = await memory();
    const served = await serveService(service, { discovery, log, listen: `memory:${randomId()}` });
    closing.push(() => served.drain(0));
    const client = await connectService(service, { discovery, log });
    closing.push(() => client.close());
    await expect(client.sum(null)).rejects.toMatchObject({
      code: "internal",
      message: "The answer of 'sum' is not valid: sums.1: Invalid input: expected number, received string",
    });
  });

  test("holds its sender back while its client does not read", async () => {
    const discovery = await memory();
    const served = await serveAs("one", discovery);
    const client = await connectTo(discovery);
    const stream = client.count({ to: 1e9 })[Symbol.asyncIterator]();
    await stream.next();
    await expect.poll(async () => (await (await fetch(`${served.opsUrl}/health`)).json()).running).toBe(1);
    const before = process.memoryUsage().heapUsed;
    await sleep(200);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100 * 2 ** 20);
    await stream.return!();
  });

  test("without an instance fails after a while with what to do", async () => {
    const client = await connectTo(await memory(), { waitMs: 20 });
    await expect(client.add({ one: 1, other: 1 })).rejects.toThrow(
      /Is one running, with the same discovery\?/,
    );
    await expect(client.ready()).rejects.toMatchObject({ code: "connection_lost" });
  });

  test("waits for an instance to come", async () => {
    const discovery = await memory();
    const client = await connectTo(discovery);
    const sum = client.add({ one: 1, other: 1 });
    await serveAs("late", discovery);
    expect(await sum).toBe(2);
  });
});

describe("an endpoint whose values are protobuf messages", () => {
  const planner = defineService({
    name: "planner",
    endpoints: {
      plan: endpoint({
        request: protobuf(TokenizeRequestSchema),
        response: protobuf(GenerateRequestSchema),
        handle: async ({ text }) =>
          create(GenerateRequestSchema, {
            model: text,
            tokenIds: Uint8Array.of(1, 0, 0, 0),
            sampling: { seed: 7n },
          }),
      }),
    },
  });

  test("gives messages to both sides", async () => {
    const discovery = await memory();
    const served = await serveService(planner, { discovery, log, listen: `memory:${randomId()}` });
    closing.push(() => served.drain(0));
    const client = await connectService(planner, { discovery, log });
    closing.push(() => client.close());
    const answer = await client.plan(create(TokenizeRequestSchema, { text: "tiny" }));
    expectTypeOf(answer).toEqualTypeOf<GenerateRequest>();
    expect(isMessage(answer, GenerateRequestSchema)).toBe(true);
    expect(answer).toMatchObject({
      model: "tiny",
      tokenIds: Uint8Array.of(1, 0, 0, 0),
      sampling: { seed: 7n },
    });
  });

  test("keeps fields that its version does not know, and refuses other bytes", () => {
    const codec = protobuf(TokenizeRequestSchema);
    const newer = Uint8Array.of(10, 1, 65, 0xc2, 0x3e, 1, 66);
    expect(codec.decode(newer)).toMatchObject({ text: "A", special: false });
    expect(codec.encode(codec.decode(newer))).toEqual(newer);
    expect(() => codec.decode(anyCodec.encode({ text: "A" }))).toThrow();
  });
});

test("health and metrics say what a service does", async () => {
  const discovery = await memory();
  const { opsUrl } = await serveAs("one", discovery);
  const client = await connectTo(discovery);
  await client.add({ one: 1, other: 1 });
  await all(client.fail("oh")).catch(() => {});
  expect(await (await fetch(`${opsUrl}/health`)).json()).toMatchObject({
    status: "ready",
    service: "counter",
  });
  const page = await (await fetch(`${opsUrl}/metrics`)).text();
  expect(page).toMatch(/service_requests_total\{endpoint="add",outcome="ok".*\} 1/);
  expect(page).toMatch(/service_requests_total\{endpoint="fail",outcome="internal".*\} 1/);
});

test("a service that cannot be registered leaves nothing open", async () => {
  const discovery = await memory();
  const broken = new Proxy(discovery, {
    get(target, name) {
      if (name === "put") return async () => Promise.reject(new Error("The store is full."));
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const listen = `memory:${randomId()}`;
  const serving = serveService(counter, { discovery: broken, log, listen });
  await expect(serving).rejects.toThrow("The store is full.");
  const served = await serveService(counter, { discovery, log, listen });
  closing.push(() => served.drain(0));
});

test("a name that is not one is refused", () => {
  expect(() => defineService({ name: "a b", endpoints: {} })).toThrow("'a b' is no name");
  expect(() => defineService({ name: "a", endpoints: { "x/y": async () => 1 } })).toThrow("'x/y' is no name");
});
