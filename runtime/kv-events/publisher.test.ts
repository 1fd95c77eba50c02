import { describe, expect, test } from "vitest";
import { randomId } from "../ids.ts";
import { turns, useBench } from "../request-plane/testing.ts";
import type { Handler, PlaneError, RequestPlaneClient, ServerCall } from "../request-plane/types.ts";
import { decodeKvEvents, encodeKvEvents } from "./codec.ts";
import { KvEventPublisher } from "./publisher.ts";
import { type KvEventPosition, type KvEventSubscription, subscribeKvEvents } from "./subscriber.ts";
import type { KvEvent } from "./types.ts";
import { encodeEventsHello, encodeMessage, kvEventsEndpoint, messageKind } from "./wire.ts";

const bench = useBench(() => `memory:${randomId()}`);

function removed(hash: number): KvEvent {
  return { type: "removed", blockHashes: BigUint64Array.of(BigInt(hash)) };
}

/** Follows a publisher; logs "clear" and the received hashes, in order. */
function follow(client: RequestPlaneClient, position?: KvEventPosition) {
  const log: string[] = [];
  const ended = Promise.withResolvers<PlaneError | undefined>();
  let wanted: { entry: string; resolve: () => void } | undefined;
  const add = (entry: string) => {
    log.push(entry);
    if (wanted?.entry === entry) wanted.resolve();
  };
  const subscription: KvEventSubscription = subscribeKvEvents(
    client,
    {
      onCleared: () => add("clear"),
      onPayload(payload) {
        const { events } = decodeKvEvents(payload);
        for (const event of events) add(event.type === "removed" ? String(event.blockHashes[0]) : event.type);
      },
      onEnd: ended.resolve,
    },
    position,
  );
  return {
    log,
    subscription,
    ended: ended.promise,
    /** Resolves when `entry` is in the log. */
    until(entry: string): Promise<void> {
      if (log.includes(entry)) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      wanted = { entry, resolve };
      return promise;
    },
  };
}

async function publishing(publisher: KvEventPublisher) {
  return (await bench.pair({ [kvEventsEndpoint]: publisher.handler })).client;
}

describe("a publisher of KV events", () => {
  test("sends a new subscriber all batches while the ring holds them, then live ones", async () => {
    const publisher = new KvEventPublisher();
    publisher.publish([removed(0)]);
    publisher.publish([]);
    publisher.publish([removed(1), removed(2)]);
    const follower = follow(await publishing(publisher));
    await follower.until("2");
    publisher.publish([removed(3)]);
    await follower.until("3");
    expect(follower.log).toEqual(["clear", "0", "1", "2", "3"]);
    expect(follower.subscription.position).toEqual({ epoch: publisher.epoch, next: 3 });
    expect(publisher.published).toBe(3);
  });

  test("sends a snapshot and then live batches when the ring has dropped the beginning", async () => {
    const snapshot = () => Array.from({ length: 150 }, (_, n) => removed(1_000 + n));
    const publisher = new KvEventPublisher({ ringSize: 4, snapshot });
    for (let n = 0; n < 10; n++) publisher.publish([removed(n)]);
    const follower = follow(await publishing(publisher));
    await follower.until("1149");
    publisher.publish([removed(10)]);
    await follower.until("10");
    expect(follower.log).toHaveLength(153);
    expect(follower.log.slice(0, 3)).toEqual(["clear", "clear", "1000"]);
    expect(follower.subscription.counters).toMatchObject({ snapshots: 1, gaps: 0, resets: 0, malformed: 0 });
  });

  test("without a snapshot, clears a subscriber that cannot catch up", async () => {
    const publisher = new KvEventPublisher({ ringSize: 2 });
    for (let n = 0; n < 5; n++) publisher.publish([removed(n)]);
    const follower = follow(await publishing(publisher));
    while (follower.subscription.counters.snapshots === 0) await turns(1);
    publisher.publish([removed(5)]);
    await follower.until("5");
    expect(follower.log).toEqual(["clear", "clear", "5"]);
  });

  test("labels each batch with its rank, live or from a snapshot", async () => {
    const publisher = new KvEventPublisher({
      ringSize: 1,
      dataParallelSize: 2,
      snapshot: (rank) => [removed(100 + rank)],
    });
    publisher.publish([removed(0)], 0);
    publisher.publish([removed(1)], 1);
    const client = await publishing(publisher);
    const ranks: [number, bigint][] = [];
    const live = Promise.withResolvers<void>();
    subscribeKvEvents(client, {
      onCleared: () => {},
      onPayload(payload) {
        const { events, dataParallelRank } = decodeKvEvents(payload);
        for (const event of events)
          if (event.type === "removed") ranks.push([dataParallelRank, event.blockHashes[0] as bigint]);
        if (ranks.length === 3) live.resolve();
      },
    });
    while (publisher.snapshots === 0) await turns(1);
    publisher.publish([removed(2)], 1);
    await live.promise;
    expect(ranks).toEqual([
      [0, 100n],
      [1, 101n],
      [1, 2n],
    ]);
  });

  test("resumes where a reconnecting subscriber stopped", async () => {
    const publisher = new KvEventPublisher();
    const client = await publishing(publisher);
    publisher.publish([removed(0)]);
    const first = follow(client);
    await first.until("0");
    const position = first.subscription.position;
    first.subscription.close();
    publisher.publish([removed(1)]);
    const second = follow(client, position);
    await second.until("1");
    expect(second.log).toEqual(["1"]);
    expect(first.log).toEqual(["clear", "0"]);
  });

  test("that has restarted is detected by its epoch, and causes a reset", async () => {
    const before = new KvEventPublisher();
    before.publish([removed(0)]);
    const first = follow(await publishing(before));
    await first.until("0");
    const after = new KvEventPublisher();
    after.publish([removed(7)]);
    const second = follow(await publishing(after), first.subscription.position);
    await second.until("7");
    expect(second.log).toEqual(["clear", "7"]);
    expect(second.subscription.counters.resets).toBe(1);
  });

  test("does not queue for a slow subscriber, but sends it a new snapshot", async () => {
    const publisher = new KvEventPublisher({ ringSize: 8, snapshot: () => [removed(99_999)] });
    const blocked = Promise.withResolvers<void>();
    const slowly: Handler = (payload, call) => {
      const slow: ServerCall = {
        get signal() {
          return call.signal;
        },
        send(message) {
          const room = call.send(message);
          if (!room) blocked.resolve();
          return room;
        },
        writable: () => call.writable(),
        end: () => call.end(),
        fail: (error) => call.fail(error),
      };
      return publisher.handler(payload, slow);
    };
    const { client } = await bench.pair({ [kvEventsEndpoint]: slowly });
    const pausing: RequestPlaneClient = {
      address: client.address,
      closed: client.closed,
      close: () => client.close(),
      call(endpoint, payload, receiver, options) {
        const call = client.call(endpoint, payload, receiver, { ...options, windowBytes: 1_000 });
        call.pause();
        resume = () => call.resume();
        return call;
      },
    };
    let resume = () => {};
    const follower = follow(pausing);
    let published = 0;
    let full = false;
    blocked.promise.then(() => {
      full = true;
    });
    while (!full) {
      publisher.publish([removed(published++)]);
      await turns(1);
    }
    for (let n = 0; n < 1_000; n++) publisher.publish([removed(published++)]);
    resume();
    await follower.until("99999");
    publisher.publish([removed(published)]);
    await follower.until(`${published}`);
    expect(publisher.snapshots).toBe(1);
    expect(follower.log.length).toBeLessThan(100);
    expect(follower.subscription.counters).toMatchObject({ snapshots: 1, gaps: 0 });
  });

  test("releases a subscriber that leaves", async () => {
    const publisher = new KvEventPublisher();
    const client = await publishing(publisher);
    publisher.publish([removed(0)]);
    const follower = follow(client);
    await follower.until("0");
    expect(publisher.subscribers).toBe(1);
    follower.subscription.close();
    while (publisher.subscribers > 0) await turns(1);
  });

  test("refuses a malformed request", async () => {
    const client = await publishing(new KvEventPublisher());
    const { promise, resolve } = Promise.withResolvers<PlaneError>();
    const ignore = () => {};
    client.call(kvEventsEndpoint, Uint8Array.of(1), { onMessage: ignore, onEnd: ignore, onError: resolve });
    expect(await promise).toMatchObject({ code: "invalid_request" });
  });
});

describe("a subscriber to KV events", () => {
  const epoch = randomId();
  const batch = (sequence: number) => {
    const payload = encodeKvEvents({ timestamp: 0, events: [removed(sequence)], dataParallelRank: 0 });
    return encodeMessage(messageKind.batch, sequence, payload);
  };
  const hello = encodeMessage(messageKind.hello, 0, encodeEventsHello(epoch));

  /** A publisher that sends one of the lists to each subscription in turn. */
  async function scripted(...lists: Uint8Array[][]) {
    const handler: Handler = (_, call) => {
      for (const message of lists.shift() ?? []) call.send(message);
    };
    return (await bench.pair({ [kvEventsEndpoint]: handler })).client;
  }

  test("requests a missing batch again, and skips known ones", async () => {
    const client = await scripted(
      [hello, batch(0), batch(0), batch(2)],
      [hello, batch(0), batch(1), batch(2), batch(3)],
    );
    const follower = follow(client);
    await follower.until("3");
    expect(follower.log).toEqual(["clear", "0", "1", "2", "3"]);
    expect(follower.subscription.counters).toMatchObject({ applied: 4, gaps: 1, resets: 0 });
  });

  test("resets when a missing batch is gone", async () => {
    const client = await scripted([hello, batch(0), batch(2)], [hello, batch(2), batch(3)]);
    const follower = follow(client);
    await follower.until("3");
    expect(follower.log).toEqual(["clear", "0", "clear", "2", "3"]);
    expect(follower.subscription.counters).toMatchObject({ gaps: 2, resets: 1 });
  });

  test("counts unreadable messages, and resets after a malformed batch", async () => {
    const client = await scripted([
      hello,
      Uint8Array.of(1, 2),
      encodeMessage(77, 0),
      encodeMessage(messageKind.batch, 0, Uint8Array.of(0xc1)),
      batch(1),
    ]);
    const follower = follow(client);
    await follower.until("1");
    expect(follower.log).toEqual(["clear", "clear", "1"]);
    expect(follower.subscription.counters).toMatchObject({ applied: 1, malformed: 3, gaps: 0, resets: 1 });
  });

  test("is notified of a missing endpoint, and of a lost connection", async () => {
    const { client } = await bench.pair({});
    expect(await follow(client).ended).toMatchObject({ code: "unknown_endpoint" });
    const publisher = new KvEventPublisher();
    const { client: other, server } = await bench.pair({ [kvEventsEndpoint]: publisher.handler });
    publisher.publish([removed(0)]);
    const follower = follow(other);
    await follower.until("0");
    await server.close();
    expect(await follower.ended).toMatchObject({ code: "connection_lost" });
  });
});
