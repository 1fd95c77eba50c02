import { afterAll, describe, expect, test } from "vitest";
import { randomId } from "../../ids.ts";
import { createLogger } from "../../log.ts";
import { hasNats, startNats, startPlainNats } from "../../testing/nats-server.ts";
import { TestFollower, TestWorker } from "../stream/testing.ts";
import { encodeMessage } from "../wire.ts";
import { liveSubject } from "./names.ts";
import { NatsKvEventPublisher } from "./publisher.ts";
import { NatsKvEvents } from "./stream.ts";
import { deleteStreams, snapshotState } from "./testing.ts";

// What holds for KV events over any transport is in `gateway/feeds/feeds.test.ts`; outages are in `outages.slow.test.ts`.

const log = createLogger({ name: "test", write: () => {} });

describe.runIf(hasNats)("KV events in a stream of NATS", async () => {
  const nats = hasNats ? await startNats() : undefined;
  afterAll(() => nats?.[Symbol.asyncDispose]());

  /** A worker and its publisher, and a stream of its own. */
  async function publishing(ringSize: number, keptMessages?: number) {
    const url = `nats://${nats!.host}/${randomId()}`;
    const stream = await NatsKvEvents.open(url, { keptMessages });
    const worker = await TestWorker.start(ringSize);
    const publisher = new NatsKvEventPublisher(worker.events, stream, log, ringSize / 2);
    await expect.poll(() => publisher.isLive).toBe(true);
    return {
      url,
      stream,
      worker,
      publisher,
      /** Publishes batches over so many turns, so that snapshots are written in between. */
      async changeOften(rounds: number) {
        for (let round = 0; round < rounds; round++) {
          worker.change(10);
          await stream.connection.flush();
        }
        await expect.poll(() => publisher.published).toBe(worker.events.published);
        await expect.poll(() => snapshotState(stream, publisher.subject)).toBe("whole");
      },
      follow: () => new TestFollower(stream, publisher.subject, worker.client),
      async [Symbol.asyncDispose]() {
        await publisher.close();
        stream.close();
        await worker[Symbol.asyncDispose]();
      },
    };
  }

  test("reach a late gateway as the kept batches, while the stream has all of them", async () => {
    await using subject = await publishing(64);
    const { worker, stream, publisher } = subject;
    worker.change(20);
    await expect.poll(() => publisher.waiting).toBe(0);
    using late = subject.follow();
    await expect.poll(() => late.known).toEqual(worker.cache);
    worker.change(5);
    await expect.poll(() => late.known).toEqual(worker.cache);
    expect(late.subscription.counters).toMatchObject({ applied: 25, gaps: 0, snapshots: 0, resets: 0 });
    expect([worker.asked, publisher.snapshots]).toEqual([0, 0]);
    expect((await stream.report())?.messages).toBe(25);
  });

  test("reach a late gateway as a snapshot and the batches after it", async () => {
    await using subject = await publishing(64);
    const { worker, publisher } = subject;
    await subject.changeOften(50);
    await expect.poll(() => publisher.waiting).toBe(0);
    using late = subject.follow();
    await expect.poll(() => late.known).toEqual(worker.cache);
    await expect.poll(() => late.subscription.isLive).toBe(true);
    worker.change(5);
    await expect.poll(() => late.known).toEqual(worker.cache);
    expect(late.subscription.counters).toMatchObject({ gaps: 0, snapshots: 1, resets: 0 });
    expect(worker.asked).toBe(0);
  });

  test("are published once, however many gateways there are", async () => {
    await using subject = await publishing(4_096);
    const { worker, stream } = subject;
    using one = subject.follow();
    const own = await NatsKvEvents.open(subject.url);
    using other = new TestFollower(own, subject.publisher.subject, worker.client);
    worker.change(500);
    for (const { known } of [one, other]) await expect.poll(() => known).toEqual(worker.cache);
    await expect.poll(async () => (await stream.report())?.messages).toBe(500);
    expect(worker.asked).toBe(0);
    own.close();
  });

  test("that the stream no longer keeps are asked of the worker", async () => {
    await using subject = await publishing(4_096, 8);
    const { worker, publisher } = subject;
    worker.change(40);
    await expect.poll(() => publisher.waiting).toBe(0);
    using late = subject.follow();
    await expect.poll(() => late.known).toEqual(worker.cache);
    expect(late.subscription.counters.gaps).toBe(1);
    expect(worker.asked).toBe(1);
    // The worker says how far it has got, so that the gateway goes back to the stream.
    await expect.poll(() => late.subscription.isLive).toBe(true);
    worker.change(3);
    await expect.poll(() => late.known).toEqual(worker.cache);
    await expect.poll(() => worker.events.subscribers).toBe(0);
  });

  test("that are too large for NATS are asked of the worker", async () => {
    await using subject = await publishing(64);
    const { worker } = subject;
    using follower = subject.follow();
    worker.change(3);
    await expect.poll(() => follower.known).toEqual(worker.cache);
    const hashes = Array.from({ length: 300_000 }, (_, index) => BigInt(1_000_000 + index));
    for (const hash of hashes) worker.cache.add(hash);
    const blockHashes = BigUint64Array.from(hashes);
    const tokenIds = new Uint32Array(hashes.length).fill(100_000);
    worker.events.publish([{ type: "stored", blockHashes, parentHash: undefined, tokenIds, blockSize: 1 }]);
    worker.change(3);
    await expect.poll(() => follower.known.size).toBe(worker.cache.size);
    await expect.poll(() => follower.subscription.isLive).toBe(true);
    expect(follower.subscription.counters).toMatchObject({ gaps: 1, resets: 0 });
    expect(worker.asked).toBe(1);
  });

  test("twice or out of order, and foreign messages, change nothing", async () => {
    await using subject = await publishing(64);
    const { worker, stream, publisher } = subject;
    using follower = subject.follow();
    worker.change(10);
    await expect.poll(() => follower.known).toEqual(worker.cache);
    const send = (message: Uint8Array) => stream.connection.publish(liveSubject(publisher.subject), message);
    for (const number of [9, 3, 0]) send(worker.events.message(number)!);
    send(new Uint8Array(3));
    send(encodeMessage(77, 10));
    worker.change(1);
    await expect.poll(() => follower.known).toEqual(worker.cache);
    expect(follower.subscription.counters).toMatchObject({ applied: 11, gaps: 0, malformed: 2 });
    expect(worker.asked).toBe(0);
  });

  test("of a worker that leaves are removed from the stream", async () => {
    await using subject = await publishing(16);
    const { stream, publisher } = subject;
    await subject.changeOften(10);
    expect((await stream.report())?.messages).toBeGreaterThan(0);
    await publisher.close();
    expect((await stream.report())?.messages).toBe(0);
  });

  test("are republished, or made up for by a snapshot, when the stream is deleted", async () => {
    await using subject = await publishing(16);
    const { worker, stream, publisher } = subject;
    await subject.changeOften(10);
    await deleteStreams(stream);
    worker.change(1);
    await expect.poll(() => stream.report()).toBeDefined();
    await expect.poll(() => publisher.waiting).toBe(0);
    worker.change(2);
    await expect.poll(() => publisher.waiting).toBe(0);
    await expect.poll(() => snapshotState(stream, publisher.subject)).toBe("whole");
    using late = subject.follow();
    await expect.poll(() => late.known).toEqual(worker.cache);
    await expect.poll(() => late.subscription.isLive).toBe(true);
    expect(late.subscription.counters).toMatchObject({ gaps: 0, snapshots: 1 });
    expect(worker.asked).toBe(0);
  });

  test("have subjects that name the publisher", async () => {
    await using subject = await publishing(16);
    const { stream, publisher, worker } = subject;
    expect(stream.epochOf(publisher.subject)).toBe(worker.events.epoch);
    for (const foreign of ["", "other.kv_events.0123456789abcdef", `${publisher.subject}.>`, ">"])
      expect(stream.epochOf(foreign)).toBeUndefined();
  });
});

describe.runIf(hasNats)("opening a stream", () => {
  test("fails without JetStream, with what to do", async () => {
    await using plain = await startPlainNats();
    await expect(NatsKvEvents.open(`nats://${plain.host}`)).rejects.toThrow("nats-server -js");
  });

  test.each([
    ["nats://host/a/b", /'a\/b' is not valid/],
    ["nats://", /it has no host/],
    ["etcd://host", /is not the URL of NATS servers/],
  ])("fails for %s with the reason", async (url, reason) => {
    await expect(NatsKvEvents.open(url)).rejects.toThrow(reason);
  });
});
