import { afterEach, describe, expect, test } from "vitest";
import * as zmq from "zeromq";
import { encodeKvEvents, KvEventError } from "../codec.ts";
import { decodeSequence, emptyFrame, encodeSequence, endMarker } from "./frames.ts";
import { ZmqKvEventPublisher, type ZmqPublisherOptions } from "./publisher.ts";
import { ZmqKvEventSubscriber, type ZmqSubscriberOptions } from "./subscriber.ts";

const anyPort = "tcp://127.0.0.1:0";
const open: { close(): void }[] = [];

afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});

function keep<Socket extends { close(): void }>(socket: Socket): Socket {
  open.push(socket);
  return socket;
}

const publish = async (options: Partial<ZmqPublisherOptions> = {}) =>
  keep(await ZmqKvEventPublisher.open({ endpoint: anyPort, replayEndpoint: anyPort, ...options }));

const text = (payload: Uint8Array) => new TextDecoder().decode(payload);
const bytes = (payload: string) => new TextEncoder().encode(payload);

/** Follows a publisher; the log reads as "forget" and what came, in order. */
async function follow(
  { endpoint, replayEndpoint }: { endpoint: string; replayEndpoint: string | undefined },
  options: Partial<ZmqSubscriberOptions> = {},
) {
  const log: string[] = [];
  const waiting: { entry: string; resolve(): void }[] = [];
  const add = (entry: string) => {
    log.push(entry);
    for (const { resolve } of waiting.filter((one) => one.entry === entry)) resolve();
  };
  const subscriber = keep(
    new ZmqKvEventSubscriber({
      endpoint,
      replayEndpoint,
      onPayload(payload, sequence) {
        add(`${sequence}:${text(payload)}`);
        if (text(payload) === "garbage") throw new KvEventError("it is garbage");
      },
      onForget: () => add("forget"),
      ...options,
    }),
  );
  /** Resolves when `entry` has come. */
  const until = (entry: string) =>
    new Promise<void>((resolve) => {
      if (log.includes(entry)) resolve();
      else waiting.push({ entry, resolve });
    });
  return { log, subscriber, until };
}

/** Publishes one batch and waits until a follower has it. */
async function reach(publisher: ZmqKvEventPublisher, until: (entry: string) => Promise<void>, name: string) {
  const sequence = publisher.published;
  publisher.publish(bytes(name));
  await until(`${sequence}:${name}`);
}

/** Closes a publisher and opens another in its place, as soon as the library has let go of the ports. */
async function restart(publisher: ZmqKvEventPublisher): Promise<ZmqKvEventPublisher> {
  const { endpoint, replayEndpoint } = publisher;
  publisher.close();
  for (;;) {
    const next = await publish({ endpoint, replayEndpoint }).catch((error: Error) => error);
    if (!(next instanceof Error)) return next;
    expect(next.message).toContain("in use");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A publisher that sends what a test tells it, and replays what it is told to have. */
async function scripted() {
  // Unlike a Publisher it tells when somebody subscribes.
  const live = keep(new zmq.XPublisher({ linger: 0, verbosity: "allSubs" }));
  const router = keep(new zmq.Router({ linger: 0 }));
  await live.bind(anyPort);
  await router.bind(anyPort);
  const state = {
    endpoint: live.lastEndpoint!,
    replayEndpoint: router.lastEndpoint!,
    /** What a replay gives, by number. */
    past: new Map<number, string>(),
    /** The numbers that were asked for. */
    asked: [] as number[],
    answers: true,
    /** Resolves when one more has subscribed. */
    subscribed: () => live.receive(),
    send: (sequence: number, payload: string) =>
      live.send([emptyFrame, encodeSequence(sequence), bytes(payload)]),
    sendFrames: (frames: Uint8Array[]) => live.send(frames),
  };
  const serve = async () => {
    for await (const [client, , start] of router) {
      const from = decodeSequence(start)!;
      state.asked.push(from);
      if (!state.answers) continue;
      for (const [sequence, payload] of state.past)
        if (sequence >= from)
          await router.send([client!, emptyFrame, encodeSequence(sequence), bytes(payload)]);
      await router.send([client!, emptyFrame, endMarker, emptyFrame]);
    }
  };
  void serve();
  return state;
}

describe("KV events over ZeroMQ", () => {
  test("come from the first one on, and live, each once", async () => {
    const publisher = await publish();
    publisher.publish(bytes("a"));
    publisher.publish(bytes("b"));
    const follower = await follow(publisher);
    await follower.until("1:b");
    await reach(publisher, follower.until, "c");
    await reach(publisher, follower.until, "d");
    expect(follower.log).toEqual(["0:a", "1:b", "2:c", "3:d"]);
    expect(follower.subscriber.isConnected).toBe(true);
    expect(follower.subscriber.counters).toMatchObject({ applied: 4, gaps: 0, forgotten: 0, malformed: 0 });
  });

  test("go on after a fault of the receiver's, which forgets what it knew", async () => {
    const faults: unknown[] = [];
    const publisher = await publish();
    publisher.publish(bytes("a"));
    const log: string[] = [];
    const follower = await follow(publisher, {
      onPayload(payload) {
        log.push(text(payload));
        if (text(payload) === "b") throw new TypeError("a fault of the receiver's");
      },
      onForget: () => void log.push("forget"),
      onFault: (error) => void faults.push(error),
    });
    await expect.poll(() => log).toEqual(["a"]);
    publisher.publish(bytes("b"));
    publisher.publish(bytes("c"));
    await expect.poll(() => log).toEqual(["a", "b", "forget", "c"]);
    expect(faults).toEqual([new TypeError("a fault of the receiver's")]);
    expect(follower.subscriber.counters).toMatchObject({ applied: 2, malformed: 1 });
  });

  test("begin with the oldest that is kept", async () => {
    const publisher = await publish({ replayBatches: 2 });
    for (const name of ["a", "b", "c", "d"]) publisher.publish(bytes(name));
    const follower = await follow(publisher);
    await follower.until("3:d");
    await reach(publisher, follower.until, "e");
    expect(follower.log).toEqual(["2:c", "3:d", "4:e"]);
    expect(follower.subscriber.counters).toMatchObject({ gaps: 0, forgotten: 0 });
  });

  test("go to many at once, by topic", async () => {
    const publisher = await publish({ topic: "kv@a" });
    const followers = await Promise.all(Array.from({ length: 5 }, () => follow(publisher, { topic: "kv@" })));
    publisher.publish(bytes("a"));
    await Promise.all(followers.map(({ until }) => reach(publisher, until, "b")));
    for (const { log } of followers) expect(log.slice(0, 2)).toEqual(["0:a", "1:b"]);
  });

  test("have vLLM's frames, live and replayed", async () => {
    const publisher = await publish({ topic: "kv" });
    const subscriber = keep(new zmq.Subscriber({ linger: 0 }));
    subscriber.subscribe("kv");
    const joined = new Promise<void>((resolve) => subscriber.events.on("handshake", () => resolve()));
    subscriber.connect(publisher.endpoint);
    await joined;
    const request = keep(new zmq.Request({ linger: 0 }));
    request.connect(publisher.replayEndpoint!);
    const payload = encodeKvEvents({ timestamp: 1.5, events: [{ type: "cleared" }], dataParallelRank: 2 });
    const received = subscriber.receive();
    // The subscription itself may arrive after the first messages.
    const timer = setInterval(() => publisher.publish(payload), 5);
    const [topic, sequence, live] = await received;
    clearInterval(timer);
    expect(text(topic!)).toBe("kv");
    expect(sequence).toHaveLength(8);
    expect([...live!]).toEqual([...payload]);
    await request.send(encodeSequence(publisher.published));
    expect((await request.receive()).map((frame) => frame.toString("hex"))).toEqual([
      "",
      "ffffffffffffffff",
      "",
    ]);
  });

  test("that are asked for in nonsense are not answered, and the next request is", async () => {
    const publisher = await publish();
    publisher.publish(bytes("a"));
    const dealer = keep(new zmq.Dealer({ linger: 0 }));
    dealer.connect(publisher.replayEndpoint!);
    await dealer.send(["nonsense"]);
    await dealer.send([emptyFrame, "12345678901"]);
    await dealer.send([emptyFrame, endMarker]);
    await dealer.send([emptyFrame, encodeSequence(0)]);
    expect((await dealer.receive()).map(String)).toEqual(["", "", "\0\0\0\0\0\0\0\0", "a"]);
  });

  test("an endpoint that is taken is named", async () => {
    const { endpoint } = await publish();
    await expect(publish({ endpoint })).rejects.toThrow(`Cannot publish KV events on ${endpoint}`);
  });
});

describe("a subscriber over ZeroMQ", () => {
  test("asks again for a batch that is lost, and passes over what it has", async () => {
    const publisher = await scripted();
    const follower = await follow(publisher);
    await publisher.subscribed();
    publisher.past.set(0, "a");
    await publisher.send(0, "a");
    await follower.until("0:a");
    publisher.past.set(1, "b").set(2, "c").set(3, "d");
    await publisher.send(2, "c");
    await publisher.send(3, "d");
    await publisher.send(4, "e");
    await follower.until("4:e");
    expect(follower.log).toEqual(["0:a", "1:b", "2:c", "3:d", "4:e"]);
    expect(follower.subscriber.counters).toMatchObject({ applied: 5, gaps: 1, forgotten: 0 });
    // The replay began with the batch that came last, which proved that the publisher is the same.
    expect(publisher.asked.at(-1)).toBe(0);
  });

  test("forgets when a lost batch cannot be had any more, and goes on with what there is", async () => {
    const publisher = await scripted();
    const follower = await follow(publisher);
    await publisher.subscribed();
    publisher.past.set(0, "a");
    await publisher.send(0, "a");
    await follower.until("0:a");
    publisher.past = new Map([
      [5, "f"],
      [6, "g"],
    ]);
    await publisher.send(6, "g");
    await publisher.send(7, "h");
    await follower.until("7:h");
    expect(follower.log).toEqual(["0:a", "forget", "5:f", "6:g", "7:h"]);
    expect(follower.subscriber.counters).toMatchObject({ gaps: 1, forgotten: 1 });
  });

  test("forgets when nobody replays, or nobody answers in time", async () => {
    const publisher = await scripted();
    const followers = [
      await follow(publisher, { replayEndpoint: undefined }),
      await follow(publisher, { replayTimeoutMs: 1 }),
    ];
    publisher.answers = false;
    for (const _ of followers) await publisher.subscribed();
    await publisher.send(3, "a");
    await publisher.send(5, "b");
    await Promise.all(followers.map(({ until }) => until("5:b")));
    for (const { log, subscriber } of followers) {
      expect(log).toEqual(["3:a", "forget", "5:b"]);
      expect(subscriber.counters).toMatchObject({ gaps: 1, forgotten: 1 });
    }
  });

  test("notices that the publisher was started again, whatever the numbers say", async () => {
    for (const after of [["A"], ["A", "B"], ["A", "B", "C"], []]) {
      const first = await publish();
      const follower = await follow(first);
      await reach(first, follower.until, "a");
      await reach(first, follower.until, "b");
      const second = await restart(first);
      for (const name of after) second.publish(bytes(name));
      await follower.until("forget");
      await reach(second, follower.until, "last");
      const wanted = [...after, "last"].map((name, index) => `${index}:${name}`);
      expect(follower.log).toEqual(["0:a", "1:b", "forget", ...wanted]);
    }
  });

  test("keeps what it knows when only the connection was lost", async () => {
    const first = await publish();
    const follower = await follow(first);
    await reach(first, follower.until, "a");
    await reach(first, follower.until, "b");
    // It says the same: as far as anybody can tell, the same publisher.
    const second = await restart(first);
    for (const name of ["a", "b", "c"]) second.publish(bytes(name));
    await follower.until("2:c");
    expect(follower.log).toEqual(["0:a", "1:b", "2:c"]);
  });

  test("passes over what it cannot read, and recovers from what only looks right", async () => {
    const publisher = await scripted();
    const follower = await follow(publisher);
    await publisher.subscribed();
    publisher.past.set(0, "a");
    await publisher.send(0, "a");
    await follower.until("0:a");
    const nonsense = [[], [1], [1, 8], [1, 8, 3, 4], [0, 7, 1], [0, 9, 1]].map((lengths) =>
      lengths.map((length) => new Uint8Array(length).fill(0xfe)),
    );
    for (const frames of nonsense) await publisher.sendFrames(frames.length > 0 ? frames : [emptyFrame]);
    await publisher.sendFrames([emptyFrame, endMarker, emptyFrame]);
    await publisher.send(2 ** 40, "far away");
    await follower.until(`${2 ** 40}:far away`);
    publisher.past.set(1, "b");
    await publisher.send(1, "b");
    await follower.until("1:b");
    await publisher.send(2, "garbage");
    await publisher.send(3, "d");
    await follower.until("3:d");
    expect(follower.log).toEqual([
      "0:a",
      "forget",
      `${2 ** 40}:far away`,
      "forget",
      "0:a",
      "1:b",
      "2:garbage",
      "forget",
      "3:d",
    ]);
    expect(follower.subscriber.counters.malformed).toBe(8);
  });

  test("closes at once, in the middle of a replay too", async () => {
    const publisher = await scripted();
    publisher.answers = false;
    const follower = await follow(publisher, { replayTimeoutMs: 60_000 });
    while (publisher.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    follower.subscriber.close();
    expect(follower.log).toEqual([]);
  });
});
