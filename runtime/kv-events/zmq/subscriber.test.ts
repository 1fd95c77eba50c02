import { createHash } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import { emptyFrame, endMarker } from "./frames.ts";
import type { ZmqPosition } from "./subscription.ts";
import { bytes, closeAll, follow, publish, reach, restart, scripted } from "./testing.ts";

afterEach(closeAll);

describe("a subscriber over ZeroMQ", () => {
  test("requests a lost batch again, and skips known ones", async () => {
    const publisher = await scripted();
    const follower = follow(publisher);
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
    // The replay began with the last known batch, which proved that the publisher is the same.
    expect(publisher.asked.at(-1)).toBe(0);
  });

  test("forgets when a lost batch is gone, and continues with the available ones", async () => {
    const publisher = await scripted();
    const follower = follow(publisher);
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

  test("forgets without a replay endpoint, or if that does not answer in time", async () => {
    const publisher = await scripted();
    const followers = [
      follow(publisher, { replayEndpoint: undefined }),
      follow(publisher, { replayTimeoutMs: 1 }),
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

  test("detects a restarted publisher, whatever the sequence numbers", async () => {
    for (const after of [["A"], ["A", "B"], ["A", "B", "C"], []]) {
      const first = await publish();
      const follower = follow(first);
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
    const follower = follow(first);
    await reach(first, follower.until, "a");
    await reach(first, follower.until, "b");
    // It sends the same batch, so it is indistinguishable from the same publisher.
    const second = await restart(first);
    for (const name of ["a", "b", "c"]) second.publish(bytes(name));
    await follower.until("2:c");
    expect(follower.log).toEqual(["0:a", "1:b", "2:c"]);
  });

  test("skips unreadable messages, and recovers from malformed batches", async () => {
    const publisher = await scripted();
    const follower = follow(publisher);
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

  test("closes at once, also in the middle of a replay", async () => {
    const publisher = await scripted();
    publisher.answers = false;
    const follower = follow(publisher, { replayTimeoutMs: 60_000 });
    while (publisher.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    follower.subscriber.close();
    expect(follower.log).toEqual([]);
  });

  describe("that starts where another one is", () => {
    const at = (sequence: number, name: string): ZmqPosition => ({
      sequence,
      digest: createHash("sha256").update(name).digest().subarray(0, 16),
    });

    /** Follows a publisher without replays, from a position that becomes known when `resolve` is called. */
    async function held(publisher: Awaited<ReturnType<typeof scripted>>) {
      const { promise, resolve } = Promise.withResolvers<ZmqPosition | undefined>();
      const follower = follow(publisher, { replayEndpoint: undefined, start: promise });
      await publisher.subscribed();
      return {
        ...follower,
        resolve: (sequence: number, name: string) => resolve(at(sequence, name)),
      };
    }

    test("holds messages until then, and delivers those after that position", async () => {
      const publisher = await scripted();
      const { log, until, subscriber, resolve } = await held(publisher);
      for (const [sequence, name] of ["a", "b", "c", "d"].entries()) await publisher.send(sequence + 5, name);
      expect(subscriber.position).toBeUndefined();
      resolve(6, "b");
      await until("8:d");
      expect(log).toEqual(["7:c", "8:d"]);
      expect(subscriber.position).toEqual(at(8, "d"));
      expect(subscriber.counters).toMatchObject({ applied: 3, gaps: 0, forgotten: 0 });
    });

    test("waits for the batches up to there, if the other one is ahead", async () => {
      const publisher = await scripted();
      const { log, until, resolve } = await held(publisher);
      await publisher.send(5, "a");
      resolve(7, "c");
      for (const [sequence, name] of ["b", "c", "d"].entries()) await publisher.send(sequence + 6, name);
      await until("8:d");
      expect(log).toEqual(["8:d"]);
    });

    test("forgets if batches after it were missed", async () => {
      const publisher = await scripted();
      const { log, until, resolve } = await held(publisher);
      resolve(6, "b");
      await publisher.send(8, "d");
      await until("8:d");
      expect(log).toEqual(["forget", "8:d"]);
    });

    test("asks for missed batches where it can", async () => {
      const publisher = await scripted();
      publisher.past.set(6, "b").set(7, "c");
      const start = Promise.resolve(at(6, "b"));
      const { log, until } = follow(publisher, { start });
      await publisher.subscribed();
      await publisher.send(8, "d");
      await until("8:d");
      expect(log).toEqual(["7:c", "8:d"]);
      expect(publisher.asked[0]).toBe(6);
    });

    test("forgets if the publisher is another one", async () => {
      const publisher = await scripted();
      const { log, until, resolve } = await held(publisher);
      resolve(6, "b");
      await publisher.send(6, "B");
      await until("6:B");
      expect(log).toEqual(["forget", "6:B"]);
    });

    test("forgets if the connection was lost meanwhile", async () => {
      const first = await publish({ replayEndpoint: undefined });
      const { promise, resolve } = Promise.withResolvers<ZmqPosition | undefined>();
      const { log, until } = follow({ endpoint: first.endpoint }, { start: promise });
      await expect.poll(() => first.subscribers).toBe(1);
      const second = await restart(first);
      await expect.poll(() => second.subscribers).toBe(1);
      resolve(at(0, "a"));
      await until("forget");
      second.publish(bytes("b"));
      await until("0:b");
      expect(log).toEqual(["forget", "0:b"]);
    });

    test("starts as usual if nobody knows a position", async () => {
      const publisher = await scripted();
      publisher.past.set(0, "a");
      const { until, log } = follow(publisher, { start: Promise.resolve(undefined) });
      await until("0:a");
      expect(log).toEqual(["0:a"]);
    });
  });
});
