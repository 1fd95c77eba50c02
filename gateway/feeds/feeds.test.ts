import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  createLogger,
  decodeKvEvents,
  encodeKvEvents,
  type KvEvent,
  KvEventError,
  KvEventPublisher,
  kvEventsEndpoint,
  randomId,
} from "#runtime";
import {
  connect,
  NatsKvEventPublisher,
  NatsKvEvents,
  serve,
  ZmqKvEventPublisher,
  ZmqKvEventSubscriber,
} from "#runtime/node";
import { hasNats, startNats } from "../../runtime/testing/nats-server.ts";
import type { EngineAdapter, EngineApi } from "../engines/types.ts";
import { engineFeeds } from "./engine-feed.ts";
import type { Feed, FeedReceiver } from "./feed.ts";
import { openNatsFeed } from "./nats-feed.ts";
import { openPlaneFeed } from "./plane-feed.ts";

// KV events must arrive the same way over every transport.

const log = createLogger({ name: "test", write: () => {} });

/** A publisher, and the feed that subscribes to it. */
interface Subject extends AsyncDisposable {
  /** Whether the feed reports its connection. */
  readonly reportsConnection: boolean;
  publish(events: KvEvent[]): void;
  /** Resolves once no published event can be missed. */
  follow(receiver: FeedReceiver): Promise<Feed>;
}

const encoded = (events: KvEvent[]) => encodeKvEvents({ timestamp: 0, events, dataParallelRank: 0 });
const unused = {} as EngineApi & EngineAdapter;

async function overZmq(): Promise<Subject> {
  const publisher = await ZmqKvEventPublisher.open({ endpoint: "tcp://127.0.0.1:0" });
  const { endpoint } = publisher;
  const source = { kind: "zmq", rank: 0, endpoint, replayEndpoint: undefined, topic: "" } as const;
  return {
    reportsConnection: true,
    publish: (events) => publisher.publish(encoded(events)),
    async follow(receiver) {
      // A closed subscriber may not have disconnected yet.
      await expect.poll(() => publisher.subscribers).toBe(0);
      const open = engineFeeds((options) => new ZmqKvEventSubscriber(options));
      const feed = open([source], unused, unused, receiver, log);
      await expect.poll(() => publisher.subscribers).toBe(1);
      return feed;
    },
    [Symbol.asyncDispose]: async () => publisher.close(),
  };
}

async function byPolling(): Promise<Subject> {
  let waiting: Uint8Array[] = [];
  const pollKvEvents: EngineAdapter["pollKvEvents"] = async (_api, onPayload) => {
    const given = waiting;
    waiting = [];
    for (const payload of given) onPayload(payload);
  };
  const adapter = { ...unused, pollKvEvents };
  return {
    reportsConnection: false,
    publish: (events) => void waiting.push(encoded(events)),
    follow: async (receiver) =>
      engineFeeds(() => expect.unreachable())([{ kind: "poll" }], unused, adapter, receiver, log),
    [Symbol.asyncDispose]: async () => {},
  };
}

const overPlane = (address: () => string) => async (): Promise<Subject> => {
  const publisher = new KvEventPublisher();
  const server = await serve(address(), { [kvEventsEndpoint]: publisher.handler });
  const client = await connect(server.address);
  return {
    reportsConnection: true,
    publish: (events) => publisher.publish(events),
    follow: async (receiver) => openPlaneFeed(client, receiver, log, () => expect.unreachable()),
    async [Symbol.asyncDispose]() {
      client.close();
      await server.close();
    },
  };
};

const nats = hasNats ? await startNats() : undefined;
afterAll(() => nats?.[Symbol.asyncDispose]());

async function overNats(): Promise<Subject> {
  const events = new KvEventPublisher();
  const server = await serve(`memory:${randomId()}`, { [kvEventsEndpoint]: events.handler });
  const client = await connect(server.address);
  const stream = await NatsKvEvents.open(`nats://${nats!.host}/${randomId()}`);
  const publisher = new NatsKvEventPublisher(events, stream, log);
  await expect.poll(() => publisher.isLive).toBe(true);
  return {
    reportsConnection: true,
    publish: (batch) => events.publish(batch),
    async follow(receiver) {
      const feed = openNatsFeed({ stream, subject: publisher.subject, client }, receiver, log);
      await expect.poll(() => feed.isConnected).toBe(true);
      return feed;
    },
    async [Symbol.asyncDispose]() {
      await publisher.close();
      stream.close();
      client.close();
      await server.close();
    },
  };
}

/** Records what a receiver gets; it cannot read the hash 13. */
class Recorder implements FeedReceiver {
  hashes: number[] = [];
  unreadable: string[] = [];
  forgotten = 0;

  onPayload(payload: Uint8Array): void {
    const [event] = decodeKvEvents(payload).events;
    if (event?.type !== "removed") return;
    if (event.blockHashes[0] === 13n) throw new KvEventError("it is the thirteenth");
    this.hashes.push(Number(event.blockHashes[0]));
  }

  onUnreadable(what: string): void {
    this.unreadable.push(what);
  }

  onForget(): void {
    this.hashes = [];
    this.forgotten++;
  }
}

const removed = (hash: number): KvEvent[] => [
  { type: "removed", blockHashes: BigUint64Array.of(BigInt(hash)) },
];

describe.each<[string, () => Promise<Subject>]>([
  ["over ZeroMQ", overZmq],
  ...(hasNats ? [["over NATS", overNats] satisfies [string, () => Promise<Subject>]] : []),
  ["by polling", byPolling],
  ["over the request plane, in memory", overPlane(() => `memory:${randomId()}`)],
  ["over the request plane, by a socket", overPlane(() => `unix:${join(tmpdir(), `${randomId()}.sock`)}`)],
])("KV events %s", (_, open) => {
  test("arrive once, in order, and are counted", async () => {
    await using subject = await open();
    const recorder = new Recorder();
    const feed = await subject.follow(recorder);
    const all = Array.from({ length: 50 }, (_, index) => index + 100);
    for (const hash of all) subject.publish(removed(hash));
    await expect.poll(() => recorder.hashes).toEqual(all);
    expect([feed.batches, feed.isConnected]).toEqual([50, subject.reportsConnection]);
    feed.close();
  });

  test("that cannot be read are reported, clear the cache, and do not block others", async () => {
    await using subject = await open();
    const recorder = new Recorder();
    const feed = await subject.follow(recorder);
    subject.publish(removed(1));
    await expect.poll(() => recorder.hashes).toEqual([1]);
    const before = recorder.forgotten;
    subject.publish(removed(13));
    await expect.poll(() => recorder.forgotten).toBeGreaterThan(before);
    expect(recorder.unreadable).toEqual(["it is the thirteenth"]);
    subject.publish(removed(2));
    await expect.poll(() => recorder.hashes).toContain(2);
    feed.close();
  });

  test("stop when the feed is closed", async () => {
    await using subject = await open();
    const [closed, open_] = [new Recorder(), new Recorder()];
    const feed = await subject.follow(closed);
    subject.publish(removed(1));
    await expect.poll(() => closed.hashes).toEqual([1]);
    feed.close();
    const other = await subject.follow(open_);
    subject.publish(removed(2));
    await expect.poll(() => open_.hashes).toContain(2);
    expect([closed.hashes, feed.isConnected]).toEqual([[1], false]);
    other.close();
  });
});
