import { afterEach, describe, expect, test } from "vitest";
import { createLogger, type Discovery, type Handler, PlaneError, randomId } from "#runtime";
import { openDiscovery, serve } from "#runtime/node";
import { encodeIndexMessage } from "../peers/index-message.ts";
import { INDEX_ENDPOINT } from "../peers/index-server.ts";
import { gatewayValue } from "../peers/registration.ts";
import type { KvEventsKey } from "../routing/options.ts";
import type { Gateway, ServePeers } from "./create-gateway.ts";
import { ask, attach, FaultyEngine, hashesOf, overlap as overlapAt, stored } from "./test-engine.ts";

// A gateway that joins others in front of the same engines takes over what they know.

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface TestGateway {
  readonly gateway: Gateway;
  readonly lines: string[];
}

interface JoinOptions {
  readonly defer?: ServePeers["defer"];
  readonly predictions?: { readonly eventTtlSeconds: number; readonly onlyTtlSeconds: number };
  readonly kvEventsKey?: KvEventsKey;
}

async function openStore(): Promise<Discovery> {
  const discovery = await openDiscovery(`memory:${randomId()}`);
  closing.push(() => discovery.close());
  return discovery;
}

/** Starts a gateway, and waits until its engines have been probed. */
async function join(
  discovery: Discovery,
  engines: readonly FaultyEngine[],
  {
    defer = setImmediate,
    predictions = { eventTtlSeconds: 0, onlyTtlSeconds: 600 },
    kvEventsKey,
  }: JoinOptions = {},
): Promise<TestGateway> {
  const lines: string[] = [];
  const log = createLogger({ name: "test", write: (line) => lines.push(line), colour: false });
  const servePeers: ServePeers = {
    async serve(handlers) {
      const server = await serve(`memory:${randomId()}`, handlers);
      return { server, address: server.address };
    },
    defer,
  };
  return {
    gateway: await attach(engines, { discovery, predictions, kvEventsKey, log }, { servePeers }),
    lines,
  };
}

/** A registered gateway that only has the given endpoints. */
async function pretend(
  discovery: Discovery,
  startedAt: number,
  handlers: Record<string, Handler>,
): Promise<void> {
  const server = await serve(`memory:${randomId()}`, handlers);
  closing.push(() => server.close());
  const id = randomId();
  await discovery.put(`gateways/${id}`, gatewayValue({ id, address: server.address, startedAt }));
}

const removed = (token: number, from: number, to: number) => ({
  type: "BlockRemoved",
  block_hashes: hashesOf(token, to).slice(from),
});

const overlap = ({ gateway }: TestGateway, engine: FaultyEngine, token: number): Promise<number> =>
  overlapAt(gateway, engine, token);

const health = async ({ gateway }: TestGateway): Promise<string> =>
  (await ask(gateway, "/health")).body.status;

/** Blocks that the gateway has taken over, according to its log: engines need not join together. */
const blocksTaken = ({ lines }: TestGateway): number =>
  lines
    .flatMap((line) => /took over what another gateway knows .* blocks=(\d+) /.exec(line)?.[1] ?? [])
    .reduce((sum, blocks) => sum + Number(blocks), 0);

const isReady = (gateway: TestGateway) => expect.poll(() => health(gateway)).toBe("ready");

/** Publishes until the gateway follows the engine's events, without any blocks. */
async function follow({ gateway }: TestGateway, engine: FaultyEngine): Promise<void> {
  const batches = async (): Promise<number> => {
    engine.publish();
    const { data } = (await ask(gateway, "/admin/workers")).body;
    return data.find(({ name }: { name: string }) => name === engine.name).kv_events.batches;
  };
  await expect.poll(batches).toBeGreaterThan(0);
}

async function withEvents(count: number): Promise<FaultyEngine[]> {
  const engines = await Promise.all(Array.from({ length: count }, () => FaultyEngine.start("vllm")));
  for (const engine of engines) await engine.openEvents();
  return engines;
}

/** A gateway that knows four blocks of token 1 of the first engine, and eight of token 2 of the second. */
async function settled(discovery: Discovery, options: JoinOptions = {}) {
  const engines = await withEvents(2);
  const [one, two] = engines as [FaultyEngine, FaultyEngine];
  const first = await join(discovery, engines, options);
  for (const engine of engines) await follow(first, engine);
  one.publish(stored(1, 4));
  two.publish(stored(2, 8));
  await expect.poll(() => overlap(first, one, 1)).toBe(4);
  await expect.poll(() => overlap(first, two, 2)).toBe(8);
  return { engines, one, two, first };
}

describe("a gateway that joins", () => {
  test("knows what engines hold whose events it has never seen, and continues with them", async () => {
    const discovery = await openStore();
    const { engines, one, two } = await settled(discovery);
    const second = await join(discovery, engines);
    await isReady(second);
    expect(await overlap(second, one, 1)).toBe(4);
    expect(await overlap(second, two, 2)).toBe(8);
    expect(await overlap(second, two, 1)).toBe(0);
    expect(blocksTaken(second)).toBe(12);
    one.publish(removed(1, 2, 4));
    two.publish(stored(3, 5));
    await expect.poll(() => overlap(second, one, 1)).toBe(2);
    await expect.poll(() => overlap(second, two, 3)).toBe(5);
    expect(await overlap(second, two, 2)).toBe(8);
  });

  test("also knows what an engine holds that answers only after the others", async () => {
    const discovery = await openStore();
    const { engines, one, two } = await settled(discovery);
    two.isHungForChecks = true;
    const joining = join(discovery, engines);
    await expect.poll(() => one.subscribers).toBe(2);
    two.isHungForChecks = false;
    const second = await joining;
    await isReady(second);
    expect([await overlap(second, one, 1), await overlap(second, two, 2)]).toEqual([4, 8]);
    const takeovers = second.lines.filter((line) => line.includes("took over"));
    expect(takeovers.map((line) => / workers=\d+ /.exec(line)?.[0])).toEqual([" workers=1 ", " workers=1 "]);
  });

  test("hands it on when the first one has left, although no event has come since", async () => {
    const discovery = await openStore();
    const { engines, one, first } = await settled(discovery);
    const second = await join(discovery, engines);
    await isReady(second);
    first.gateway.close();
    const third = await join(discovery, engines);
    await isReady(third);
    expect(await overlap(third, one, 1)).toBe(4);
  });

  test("knows the predictions for engines without events", async () => {
    const discovery = await openStore();
    const engines = await Promise.all([FaultyEngine.start("openai"), FaultyEngine.start("openai")]);
    const [one, two] = engines;
    const first = await join(discovery, engines);
    expect(await overlap(first, one, 1)).toBe(0);
    expect(await overlap(first, two, 2)).toBe(0);
    const blocks = await overlap(first, one, 1);
    expect(blocks).toBeGreaterThan(0);
    const second = await join(discovery, engines);
    await isReady(second);
    expect([await overlap(second, one, 1), await overlap(second, two, 1)]).toEqual([blocks, 0]);
    expect(await overlap(second, two, 2)).toBe(blocks);
  });

  test("has no stale blocks of what is removed during the transfer", async () => {
    const discovery = await openStore();
    let held: (() => void)[] | undefined;
    const defer = (run: () => void) => {
      if (held === undefined) setImmediate(run);
      else held.push(run);
    };
    const { engines, one, two, first } = await settled(discovery, { defer });
    held = [];
    const second = await join(discovery, engines);
    // The copy has begun, and its head is on its way.
    await expect.poll(() => held?.length).toBeGreaterThan(0);
    expect(await health(second)).toBe("starting");
    expect(await overlap(second, one, 1)).toBe(0);
    // A publisher drops messages until it knows of a subscription.
    await expect.poll(() => engines.map(({ subscribers }) => subscribers)).toEqual([2, 2]);
    one.publish(removed(1, 1, 4));
    two.publish(removed(2, 0, 8), stored(4, 6));
    await expect.poll(() => overlap(first, one, 1)).toBe(1);
    await expect.poll(() => overlap(first, two, 4)).toBe(6);
    const waiting = held;
    held = undefined;
    for (const run of waiting) run();
    await isReady(second);
    await expect.poll(() => overlap(second, two, 4)).toBe(6);
    await expect.poll(() => overlap(second, one, 1)).toBe(1);
    expect(await overlap(second, two, 2)).toBe(0);
    expect(blocksTaken(second)).toBe(12);
  });

  test("uses the block size that events have confirmed", async () => {
    const discovery = await openStore();
    const engines = await withEvents(1);
    const [engine] = engines as [FaultyEngine];
    const first = await join(discovery, engines);
    await follow(first, engine);
    engine.publish(stored(1, 4, 32));
    await expect.poll(() => overlap(first, engine, 1)).toBe(4);
    const second = await join(discovery, engines);
    await isReady(second);
    expect(second.gateway.models.all()[0]?.blockSize).toBe(32);
    expect(await overlap(second, engine, 1)).toBe(4);
  });

  test("does not take over blocks of an engine that has restarted", async () => {
    const discovery = await openStore();
    const { engines, one, two } = await settled(discovery);
    one.startedAt++;
    const second = await join(discovery, engines);
    await isReady(second);
    expect(await overlap(second, one, 1)).toBe(0);
    expect(await overlap(second, two, 2)).toBe(8);
  });

  test("asks the next one if a gateway hangs, breaks off, or is of an older version", async () => {
    const discovery = await openStore();
    const { engines, one } = await settled(discovery);
    const asked: string[] = [];
    await pretend(discovery, 1, { [INDEX_ENDPOINT]: () => void asked.push("hangs") });
    await pretend(discovery, 2, {
      [INDEX_ENDPOINT](_, call) {
        asked.push("breaks off");
        const head = { blockSize: 16, isBlockSizeConfirmed: true, ranks: [] };
        call.send(encodeIndexMessage({ kind: "head", head }));
        call.fail(new PlaneError("connection_lost", "It has been killed."));
      },
    });
    await pretend(discovery, 3, {});
    const second = await join(discovery, engines);
    expect(await health(second)).toBe("starting");
    expect(await overlap(second, one, 1)).toBe(0);
    await expect.poll(() => health(second), { timeout: 20_000 }).toBe("ready");
    expect(asked).toEqual(["hangs", "breaks off"]);
    expect(await overlap(second, one, 1)).toBe(4);
  });

  test("asks only gateways with the same key for private KV events", async () => {
    const discovery = await openStore();
    const { engines, one } = await settled(discovery);
    const kvEventsKey = { hashKey: new Uint8Array(16).fill(7), fingerprint: "07".repeat(8) };
    const second = await join(discovery, engines, { kvEventsKey });
    await isReady(second);
    expect(blocksTaken(second)).toBe(0);
    await follow(second, one);
    one.publish(stored(4, 3));
    await expect.poll(() => overlap(second, one, 4)).toBe(3);
    const third = await join(discovery, engines, { kvEventsKey });
    await isReady(third);
    expect(await overlap(third, one, 4)).toBe(3);
    expect(blocksTaken(third)).toBeGreaterThanOrEqual(3);
    expect(third.lines.join("\n")).not.toMatch(/cannot use/);
  });

  test("starts cold if nobody hands anything over, or what comes is damaged", async () => {
    const discovery = await openStore();
    const engines = await withEvents(1);
    const [engine] = engines as [FaultyEngine];
    await pretend(discovery, 1, {});
    const cold = await join(discovery, engines);
    await isReady(cold);
    expect(cold.lines.join("\n")).toMatch(/starting without what other gateways know .*version cannot/);
    await follow(cold, engine);
    engine.publish(stored(1, 4));
    await expect.poll(() => overlap(cold, engine, 1)).toBe(4);
    cold.gateway.close();

    await pretend(discovery, 0.5, {
      [INDEX_ENDPOINT](_, call) {
        const position = { sequence: 5, digest: Uint8Array.of(1) };
        const rank = {
          index: 0,
          worker: engine.url,
          rank: 0,
          startedAt: undefined,
          position,
          group: undefined,
          recentPrefillTokens: 0,
        };
        const head = { blockSize: 16, isBlockSizeConfirmed: true, ranks: [rank] };
        call.send(encodeIndexMessage({ kind: "head", head }));
        call.send(encodeIndexMessage({ kind: "snapshot", piece: new Uint8Array(100) }));
        call.end();
      },
    });
    const damaged = await join(discovery, engines);
    await isReady(damaged);
    expect(damaged.lines.join("\n")).toMatch(
      /cannot use what another gateway knows .*reason="The snapshot is/,
    );
    engine.publish(stored(1, 4));
    await expect.poll(() => overlap(damaged, engine, 1)).toBe(4);
  });
});
