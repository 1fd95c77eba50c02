/** Our publisher and ZeroMQ's, each with our subscriber and ZeroMQ's. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import * as zmq from "zeromq";
import { decodeSequence, encodeSequence } from "./frames.ts";
import { anyPort, bytes, closeAll, follow, keep, Log, publish, text } from "./testing.ts";

afterEach(closeAll);

interface Publisher {
  readonly endpoint: string;
  publish(payload: Uint8Array): void;
  /** Resolves when it has this many subscribers. */
  subscribers(count: number): Promise<void>;
  close(): void;
}

interface Subscriber {
  /** `NUMBER:PAYLOAD`, in order. */
  readonly log: readonly string[];
  until(entry: string): Promise<void>;
  close(): void;
}

type Open = (topic: string, endpoint?: string) => Promise<Publisher>;
type Follow = (publisher: Publisher, topic?: string) => Subscriber;

const publishers: [name: string, open: Open][] = [
  ["our publisher", openOurs],
  ["ZeroMQ's publisher", openTheirs],
];
const subscribers: [name: string, follow: Follow][] = [
  ["our subscriber", followOurs],
  ["ZeroMQ's subscriber", followTheirs],
];
const pairs = publishers.flatMap(([publisher, open]) =>
  subscribers.map(([subscriber, follow]) => ({ publisher, open, subscriber, follow })),
);

describe.each(pairs)("$publisher and $subscriber", ({ open, follow }) => {
  test("deliver every message once and in order, whatever its length", async () => {
    const publisher = await open("kv");
    const subscriber = follow(publisher);
    await publisher.subscribers(1);
    const lengths = [0, 1, 200, 255, 256, 300, 8_192, 16_384, 16_385, 65_535, 65_536, 1_000_000, 0, 7];
    for (const length of lengths) publisher.publish(Buffer.alloc(length, "x"));
    publisher.publish(bytes("end"));
    await subscriber.until(`${lengths.length}:end`);
    const wanted = lengths.map((length, sequence) => `${sequence}:${"x".repeat(length)}`);
    expect(subscriber.log.map((entry) => entry.length)).toEqual(
      [...wanted, "14:end"].map(({ length }) => length),
    );
    expect(subscriber.log).toEqual([...wanted, "14:end"]);
  });

  test("deliver many at once", async () => {
    const publisher = await open("kv");
    const subscriber = follow(publisher);
    await publisher.subscribers(1);
    for (let sequence = 0; sequence < 5_000; sequence++) publisher.publish(bytes(`of ${sequence}`));
    await subscriber.until("4999:of 4999");
    expect(subscriber.log).toEqual(Array.from({ length: 5_000 }, (_, n) => `${n}:of ${n}`));
  });

  test("deliver by topic, from subscribing until leaving", async () => {
    const publisher = await open("kv@a");
    const first = [follow(publisher, "kv@a"), follow(publisher, "kv"), follow(publisher)];
    await publisher.subscribers(3);
    publisher.publish(bytes("a"));
    await Promise.all(first.map(({ until }) => until("0:a")));
    const late = follow(publisher, "kv@");
    await publisher.subscribers(4);
    publisher.publish(bytes("b"));
    await Promise.all([...first, late].map(({ until }) => until("1:b")));
    first[0]!.close();
    await publisher.subscribers(3);
    publisher.publish(bytes("c"));
    await Promise.all([first[1]!, first[2]!, late].map(({ until }) => until("2:c")));
    expect([...first, late].map(({ log }) => log.join(" "))).toEqual([
      "0:a 1:b",
      "0:a 1:b 2:c",
      "0:a 1:b 2:c",
      "1:b 2:c",
    ]);
  });

  test("reconnect when the publisher restarts", async () => {
    const before = await open("kv");
    const subscriber = follow(before);
    await before.subscribers(1);
    before.publish(bytes("a"));
    await subscriber.until("0:a");
    before.close();
    const after = await reopen(() => open("kv", before.endpoint));
    await after.subscribers(1);
    after.publish(bytes("b"));
    await subscriber.until("0:b");
    expect(subscriber.log.filter((entry) => entry !== "forget")).toEqual(["0:a", "0:b"]);
  });

  test("connect if the subscriber starts first, also over a Unix socket", async () => {
    const folder = mkdtempSync(join(tmpdir(), "stator-zmq-"));
    try {
      const endpoint = `ipc://${folder}/kv`;
      const subscriber = follow({ ...(await open("")), endpoint });
      const publisher = await open("kv", endpoint);
      expect(publisher.endpoint).toBe(endpoint);
      await publisher.subscribers(1);
      publisher.publish(bytes("a"));
      await subscriber.until("0:a");
    } finally {
      closeAll();
      rmSync(folder, { recursive: true });
    }
  });
});

async function openOurs(topic: string, endpoint = anyPort): Promise<Publisher> {
  const publisher = await publish({ topic, endpoint, replayEndpoint: undefined });
  return {
    endpoint: publisher.endpoint,
    publish: (payload) => publisher.publish(payload),
    subscribers: (count) => expect.poll(() => publisher.subscribers, { interval: 1 }).toBe(count),
    close: () => publisher.close(),
  };
}

async function openTheirs(topic: string, endpoint = anyPort): Promise<Publisher> {
  // Unlike a Publisher, it reports subscriptions.
  const socket = keep(
    new zmq.XPublisher({ linger: 0, verbosity: "allSubsUnsubs", sendHighWaterMark: 100_000 }),
  );
  await socket.bind(endpoint);
  let subscribers = 0;
  let sequence = 0;
  let sending = Promise.resolve();
  return {
    endpoint: socket.lastEndpoint!,
    publish(payload) {
      const frames = [topic, encodeSequence(sequence++), payload];
      sending = sending.then(() => socket.send(frames));
    },
    async subscribers(count) {
      while (subscribers !== count) {
        const [change] = await socket.receive();
        subscribers += change![0] === 1 ? 1 : -1;
      }
    },
    close: () => socket.close(),
  };
}

/** Opens a replacement as soon as the old one has released the port. */
async function reopen(open: () => Promise<Publisher>): Promise<Publisher> {
  for (;;) {
    const publisher = await open().catch((error: Error) => error);
    if (!(publisher instanceof Error)) return publisher;
    expect(publisher.message).toContain("in use");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function followOurs({ endpoint }: Publisher, topic = ""): Subscriber {
  const { log, until, subscriber } = follow({ endpoint }, { topic });
  return { log, until, close: () => subscriber.close() };
}

function followTheirs({ endpoint }: Publisher, topic = ""): Subscriber {
  const socket = keep(
    new zmq.Subscriber({ linger: 0, receiveHighWaterMark: 100_000, reconnectInterval: 10 }),
  );
  socket.connect(endpoint);
  socket.subscribe(topic);
  const log = new Log();
  const listen = async () => {
    for await (const [, sequence, payload] of socket)
      log.add(`${decodeSequence(sequence)}:${text(payload!)}`);
  };
  void listen();
  return { log: log.entries, until: (entry) => log.until(entry), close: () => socket.close() };
}
