import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
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
import { connect, serve, ZmqKvEventPublisher, ZmqKvEventSubscriber } from "#runtime/node";
import type { EngineAdapter, EngineApi } from "../engines/types.ts";
import { engineFeeds } from "./engine-feed.ts";
import type { Feed, FeedReceiver } from "./feed.ts";
import { openPlaneFeed } from "./plane-feed.ts";

// However KV events come, whoever follows them hears the same.

const log = createLogger({ name: "test", write: () => {} });

/** Something that publishes, and the feed that follows it. */
interface Subject extends AsyncDisposable {
  /** Whether the feed can tell that it is connected. */
  readonly tellsConnection: boolean;
  publish(events: KvEvent[]): void;
  /** Resolves once nothing that is published can be missed. */
  follow(receiver: FeedReceiver): Promise<Feed>;
}

const encoded = (events: KvEvent[]) => encodeKvEvents({ timestamp: 0, events, dataParallelRank: 0 });
const unused = {} as EngineApi & EngineAdapter;

async function overZmq(): Promise<Subject> {
  const publisher = await ZmqKvEventPublisher.open({ endpoint: "tcp://127.0.0.1:0" });
  const { endpoint } = publisher;
  const source = { kind: "zmq", rank: 0, endpoint, replayEndpoint: undefined, topic: "" } as const;
  return {
    tellsConnection: true,
    publish: (events) => publisher.publish(encoded(events)),
    async follow(receiver) {
      // One that has been closed may not have left yet.
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
    tellsConnection: false,
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
    tellsConnection: true,
    publish: (events) => publisher.publish(events),
    follow: async (receiver) => openPlaneFeed(client, receiver, log, () => expect.unreachable()),
    async [Symbol.asyncDispose]() {
      client.close();
      await server.close();
    },
  };
};

/** What a receiver has heard. One that cannot read the hash 13 says so. */
class Heard implements FeedReceiver {
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

describe.each([
  ["over ZeroMQ", overZmq],
  ["by polling", byPolling],
  ["over the request plane, in memory", overPlane(() => `memory:${randomId()}`)],
  ["over the request plane, by a socket", overPlane(() => `unix:${join(tmpdir(), `${randomId()}.sock`)}`)],
])("KV events %s", (_, open) => {
  test("come once, in order, and are counted", async () => {
    await using subject = await open();
    const heard = new Heard();
    const feed = await subject.follow(heard);
    const all = Array.from({ length: 50 }, (_, index) => index + 100);
    for (const hash of all) subject.publish(removed(hash));
    await expect.poll(() => heard.hashes).toEqual(all);
    expect([feed.batches, feed.isConnected]).toEqual([50, subject.tellsConnection]);
    feed.close();
  });

  test("that cannot be read are told of, forget what was known, and hold up no others", async () => {
    await using subject = await open();
    const heard = new Heard();
    const feed = await subject.follow(heard);
    subject.publish(removed(1));
    await expect.poll(() => heard.hashes).toEqual([1]);
    const before = heard.forgotten;
    subject.publish(removed(13));
    await expect.poll(() => heard.forgotten).toBeGreaterThan(before);
    expect(heard.unreadable).toEqual(["it is the thirteenth"]);
    subject.publish(removed(2));
    await expect.poll(() => heard.hashes).toContain(2);
    feed.close();
  });

  test("stop when the feed is closed", async () => {
    await using subject = await open();
    const [closed, open_] = [new Heard(), new Heard()];
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
