import { afterEach, expect, test } from "vitest";
import { createLogger, type Discovery, randomId } from "#runtime";
import { connect, openDiscovery, serve } from "#runtime/node";
import type { ModelRouter } from "../routing/model-router.ts";
import { request, routed, testModel } from "../routing/test-model.ts";
import { GatewayPeers } from "./gateway-peers.ts";
import { encodeLoads } from "./message.ts";
import { LOAD_ENDPOINT } from "./peer-connection.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const log = createLogger({ name: "test", write: () => {} });

interface TestGateway {
  readonly peers: GatewayPeers;
  readonly router: ModelRouter;
  readonly load: () => { prefill: number; requests: number; blocks: number };
  route(tokens: number): ReturnType<typeof routed>;
  close(): Promise<void>;
}

/** A gateway with one worker, which all gateways know by the same id. */
async function open(discovery: Discovery, id = randomId()): Promise<TestGateway> {
  const peers = new GatewayPeers({
    discovery,
    id,
    async serve(handlers) {
      const server = await serve(`memory:${randomId()}`, handlers);
      return { server, address: server.address };
    },
    connect,
    defer: setImmediate,
    log,
  });
  const model = testModel({ others: peers, policy: "least-loaded" });
  const worker = model.add("w0");
  await peers.open();
  const close = () => peers.close();
  closing.push(close);
  const load = () => {
    const [{ activePrefillTokens, activeRequests, activeDecodeBlocks }] = model.router.loads(worker) as [
      ReturnType<ModelRouter["loads"]>[0],
    ];
    return { prefill: activePrefillTokens, requests: activeRequests, blocks: activeDecodeBlocks };
  };
  return {
    peers,
    router: model.router,
    load,
    route: (tokens) => routed(model.router, request(tokens)),
    close,
  };
}

async function three(): Promise<[TestGateway, TestGateway, TestGateway]> {
  const discovery = await openDiscovery(`memory:${randomId()}`);
  closing.push(() => discovery.close());
  const gateways = [await open(discovery), await open(discovery), await open(discovery)] as const;
  for (const { peers } of gateways) await expect.poll(() => peers.count).toBe(2);
  return [...gateways];
}

test("each gateway follows the load that the others have booked", async () => {
  const [one, two, other] = await three();
  const first = one.route(64);
  const second = two.route(32);
  const booked = one.load();
  expect(booked).toMatchObject({ requests: 1, prefill: 64 });
  const all = { requests: 2, prefill: 96 };
  for (const { load } of [one, two, other]) await expect.poll(load).toMatchObject(all);
  first.firstToken();
  for (const { load } of [one, two, other]) await expect.poll(load).toMatchObject({ ...all, prefill: 32 });
  const { blocks } = other.load();
  first.grow(5);
  for (const { load } of [one, two, other]) await expect.poll(() => load().blocks).toBe(blocks + 5);
  first.free("finished");
  second.free("cancelled");
  for (const { load } of [one, two, other])
    await expect.poll(load).toEqual({ requests: 0, prefill: 0, blocks: 0 });
});

test("a gateway that joins gets the others' load, and the load of one that leaves is freed", async () => {
  const [one, two, other] = await three();
  one.route(64);
  two.route(16);
  await expect.poll(() => other.load().requests).toBe(2);
  await other.close();
  await expect.poll(() => one.peers.count).toBe(1);
  await two.close();
  await expect.poll(one.load).toMatchObject({ requests: 1, prefill: 64 });
});

test("the load of a silent gateway is freed although its connection stays open", async () => {
  const discovery = await openDiscovery(`memory:${randomId()}`);
  closing.push(() => discovery.close());
  const one = await open(discovery);
  const message = {
    isComplete: true,
    requests: 1,
    entries: [
      {
        model: "test",
        worker: "w0",
        rank: 0,
        prefillTokens: 10,
        decodeBlocks: 2,
        requests: 3,
        newPrefillTokens: 0,
      },
    ],
  };
  const server = await serve(`memory:${randomId()}`, {
    [LOAD_ENDPOINT]: (_, call) => void call.send(encodeLoads(message)),
  });
  closing.push(() => server.close());
  await discovery.put("gateways/silent", { id: "silent", address: server.address });
  await expect.poll(one.load).toEqual({ prefill: 10, blocks: 2, requests: 3 });
  expect(one.peers.count).toBe(1);
  await expect.poll(one.load, { timeout: 20_000 }).toEqual({ prefill: 0, blocks: 0, requests: 0 });
  expect(one.peers.count).toBe(0);
});

test("invalid messages and registrations are ignored", async () => {
  const discovery = await openDiscovery(`memory:${randomId()}`);
  closing.push(() => discovery.close());
  const one = await open(discovery);
  await discovery.put("gateways/odd", "what?");
  const entries = [
    {
      model: "test",
      worker: "w0",
      rank: 0,
      prefillTokens: 5,
      decodeBlocks: 0,
      requests: 1,
      newPrefillTokens: 0,
    },
  ];
  const server = await serve(`memory:${randomId()}`, {
    [LOAD_ENDPOINT](_, call) {
      for (const bytes of [[0], [193], [26, 9, 1]]) call.send(Uint8Array.from(bytes));
      for (const requests of [-1, Number.NaN])
        call.send(encodeLoads({ isComplete: true, requests, entries: [] }));
      call.send(encodeLoads({ isComplete: false, requests: 0, entries }));
    },
  });
  closing.push(() => server.close());
  await discovery.put("gateways/other", { id: "other", address: server.address });
  await expect.poll(one.load).toMatchObject({ requests: 1 });
});

test("shares follow each gateway's requests", async () => {
  const [one, two, other] = await three();
  const weights = (gateway: TestGateway) =>
    [...gateway.peers.shares().weights.values()].sort((a, b) => b - a);
  // Shares are those of the last seconds, so requests go on until all three know of them.
  const settled = () => {
    for (let round = 0; round < 20; round++) one.route(1).free("finished");
    for (let round = 0; round < 10; round++) two.route(1).free("finished");
    const [most, half = 0, least = 1] = weights(one);
    const isKnown = JSON.stringify(weights(other)) === JSON.stringify(weights(one));
    return most === 1 && half > 0.3 && half < 0.7 && least < 0.1 && isKnown;
  };
  await expect.poll(settled, { timeout: 20_000 }).toBe(true);
});
