import { afterEach, describe, expect, test } from "vitest";
import { createLogger, decodeKvEvents, type KvEventPayload } from "#runtime";
import { NatsKvEvents, ZmqKvEventSubscriber } from "#runtime/node";
import { hasNats, startNats } from "../runtime/testing/nats-server.ts";
import { openEcho } from "./echo/engine.ts";
import { collect, requestFor } from "./engine.suite.ts";
import { publishKvEvents, type ZmqEventSource, type ZmqEventsOptions } from "./kv-events.ts";
import { openMocker } from "./mocker/engine.ts";

const anyPort = "tcp://127.0.0.1:0";
const never = new AbortController().signal;
const log = createLogger({ name: "test", write: () => {} });
const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const part of open.splice(0)) await part.close();
});

async function publishing(zmq: ZmqEventsOptions) {
  const engine = openMocker({ speedup: 0, blockSize: 4, totalBlocks: 64, dataParallelSize: 2 });
  const published = (await publishKvEvents(engine, engine.card, { zmq, privacy: undefined }, log))!;
  open.push(engine, published);
  const ask = (length: number, dataParallelRank: number) =>
    collect(
      engine.generate(requestFor(new Uint32Array(length).fill(7), { maxTokens: 1, dataParallelRank }), never),
    );
  return { ask, sources: published.sources };
}

/** Follows a rank; `next` resolves with the next batch. */
async function follow(source: ZmqEventSource) {
  const batches: KvEventPayload[] = [];
  let wake = () => {};
  const { endpoint, replayEndpoint, topic } = source;
  const subscriber = new ZmqKvEventSubscriber({
    endpoint,
    replayEndpoint,
    topic,
    onPayload(payload) {
      batches.push(decodeKvEvents(payload));
      wake();
    },
    onForget() {},
  });
  open.push(subscriber);
  return async () => {
    while (batches.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return batches.shift()!;
  };
}

test.runIf(hasNats)("an engine's KV events of all ranks reach a stream, if there is one", async () => {
  await using nats = await startNats();
  const stream = await NatsKvEvents.open(`nats://${nats.host}`);
  const engine = openMocker({ speedup: 0, blockSize: 4, totalBlocks: 64, dataParallelSize: 2 });
  const published = (await publishKvEvents(
    engine,
    engine.card,
    { zmq: undefined, privacy: undefined, stream },
    log,
  ))!;
  const ranks: (number | undefined)[] = [];
  const ask = (dataParallelRank: number) =>
    collect(
      engine.generate(requestFor(new Uint32Array(4).fill(7), { maxTokens: 1, dataParallelRank }), never),
    );
  for (const rank of [0, 1]) await ask(rank);
  const { subject } = published.streamed!;
  await expect.poll(() => published.streamed!.waiting).toBe(0);
  await stream.replay(
    subject,
    (message) => ranks.push(decodeKvEvents(message.subarray(9)).dataParallelRank),
    new AbortController().signal,
  );
  expect(new Set(ranks)).toEqual(new Set([0, 1]));
  await engine.close();
  await published.close();
  expect((await stream.report())?.messages).toBe(0);
  stream.close();
});

describe("an engine's KV events over ZeroMQ", () => {
  test("come from one endpoint per rank, with replay", async () => {
    const { ask, sources } = await publishing({ endpoint: anyPort, replayEndpoint: anyPort, topic: "kv" });
    expect(sources).toHaveLength(2);
    expect(new Set(sources.flatMap((source) => [source.endpoint, source.replayEndpoint])).size).toBe(4);
    for (const source of sources) {
      const { dataParallelRank } = source;
      // Before anyone listens.
      await ask(4, dataParallelRank);
      const next = await follow(source);
      expect(await next()).toMatchObject({ dataParallelRank, events: [{ type: "stored", blockSize: 4 }] });
      await ask(8, dataParallelRank);
      const { events } = await next();
      expect(events).toMatchObject([{ type: "stored", tokenIds: new Uint32Array(4).fill(7) }]);
    }
  });

  test("use port + rank if a port is given", async () => {
    const taken = await publishing({ endpoint: anyPort });
    const near = Number(taken.sources[0]!.endpoint.split(":").at(-1));
    // Two adjacent free ports.
    for (let port = near + 2; ; port += 2) {
      const published = await publishing({ endpoint: `tcp://127.0.0.1:${port}` }).catch(
        (error: Error) => error,
      );
      if (published instanceof Error) {
        expect(published.message).toContain("in use");
        continue;
      }
      expect(published.sources.map(({ endpoint }) => endpoint)).toEqual([
        `tcp://127.0.0.1:${port}`,
        `tcp://127.0.0.1:${port + 1}`,
      ]);
      return;
    }
  });

  test("are refused for an engine that has none", async () => {
    const echo = openEcho();
    const publish = (zmq?: ZmqEventsOptions) =>
      publishKvEvents(echo, echo.card, { zmq, privacy: undefined }, log);
    await expect(publish({ endpoint: anyPort })).rejects.toThrow(
      "The engine echo has no KV events to publish on tcp://127.0.0.1:0.",
    );
    expect(await publish()).toBeUndefined();
  });
});
