import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stall } from "../../../scripts/testing/stall.ts";
import { createLogger } from "../../log.ts";
import { hasNats, startNats, startNatsWith } from "../../testing/nats-server.ts";
import type { TestServer } from "../../testing/test-server.ts";
import { TestFollower, TestWorker } from "../stream/testing.ts";
import { NatsKvEventPublisher } from "./publisher.ts";
import { NatsKvEvents } from "./stream.ts";
import { publishing, snapshotState } from "./testing.ts";

/** Batches while NATS is away: more than fit into the smaller ring. */
const AWAY_BATCHES = 600;
/** Within what time all is as before once NATS is back, in milliseconds. */
const BACK_MS = 10_000;

/** A worker and two gateways, each with a connection of its own. */
async function cluster(server: TestServer, ringSize: number) {
  const lines: string[] = [];
  const log = createLogger({ name: "test", write: (line) => void lines.push(line) });
  const open = (name: string) => NatsKvEvents.open(`nats://${name}@${server.host}`);
  const streams = await Promise.all(["worker", "one", "two"].map(open));
  const [own, ...others] = streams as [NatsKvEvents, NatsKvEvents, NatsKvEvents];
  const worker = await TestWorker.start(ringSize);
  const publisher = new NatsKvEventPublisher(worker.events, own, log, ringSize / 2);
  await expect.poll(() => publisher.isLive).toBe(true);
  const gateways = others.map((stream) => new TestFollower(stream, publisher.subject, worker.client));
  const changing = setInterval(() => worker.change(2), 5);
  return {
    worker,
    publisher,
    gateways,
    lines,
    /** The events stop; all gateways know the cache exactly, and so does a new one, from the stream alone. */
    async settle() {
      clearInterval(changing);
      for (const gateway of gateways) {
        await expect.poll(() => gateway.known).toEqual(worker.cache);
        await expect.poll(() => gateway.subscription.isLive).toBe(true);
      }
      await expect.poll(() => publisher.waiting).toBe(0);
      await expect.poll(() => snapshotState(own, publisher.subject)).not.toBe("partial");
      const { asked } = worker;
      using late = new TestFollower(own, publisher.subject, worker.client);
      await expect.poll(() => late.known).toEqual(worker.cache);
      expect(worker.asked).toBe(asked);
    },
    async [Symbol.asyncDispose]() {
      clearInterval(changing);
      for (const gateway of gateways) gateway[Symbol.dispose]();
      await publisher.close();
      for (const stream of streams) stream.close();
      await worker[Symbol.asyncDispose]();
    },
  };
}

describe.runIf(hasNats)("while KV events go on, NATS", () => {
  test.each([
    ["is killed", "SIGKILL", false, 4_096],
    ["is killed and loses its data", "SIGKILL", true, 4_096],
    ["is killed and loses its data, and batches have left the ring", "SIGKILL", true, 256],
    ["hangs", "SIGSTOP", false, 4_096],
  ] as const)(
    "%s: gateways miss nothing, and are back on the stream",
    async (_, signal, losesData, ringSize) => {
      await using server = await startNats();
      await using all = await cluster(server, ringSize);
      const { worker, publisher, gateways, lines } = all;
      await expect.poll(() => publisher.published).toBeGreaterThan(300);
      if (signal === "SIGKILL") await server.kill();
      else server.signal(signal);
      // Gateways take the events from the worker meanwhile.
      for (const gateway of gateways) await expect.poll(() => gateway.subscription.isLive).toBe(false);
      const { published } = worker.events;
      await expect.poll(() => worker.events.published).toBeGreaterThan(published + AWAY_BATCHES);
      expect(worker.events.subscribers).toBe(2);
      for (const gateway of gateways)
        await expect.poll(() => gateway.known.has([...worker.cache].at(-1)!)).toBe(true);
      if (losesData) server.loseData();
      if (signal === "SIGKILL") await server.resume();
      else server.signal("SIGCONT");
      const back = performance.now();
      for (const gateway of gateways) await expect.poll(() => gateway.subscription.isLive).toBe(true);
      expect(performance.now() - back).toBeLessThan(BACK_MS * stall());
      await all.settle();
      expect(lines.filter((line) => line.includes("do not reach NATS"))).toHaveLength(1);
      await expect.poll(() => lines.filter((line) => line.includes("reach NATS again"))).toHaveLength(1);
      for (const gateway of gateways) expect(gateway.subscription.counters.resets).toBe(0);
    },
  );
});

test.runIf(hasNats)(
  "JetStream that is switched off is noticed by both, on the connections they have",
  async () => {
    const place = mkdtempSync(join(tmpdir(), "stator-nats-"));
    const config = join(place, "nats.conf");
    const write = (text: string) => writeFileSync(config, text);
    write(`jetstream { store_dir: ${JSON.stringify(place)} }`);
    await using server = await startNatsWith(() => ["-c", config]);
    await using subject = await publishing(`nats://${server.host}`);
    const { worker, publisher, gateway, seen, lost, back } = subject;
    await expect.poll(() => publisher.isLive).toBe(true);
    write("");
    server.signal("SIGHUP");
    worker.change(5);
    await expect.poll(() => lost().at(-1)).toMatch(/the stream stator-kv-events does not answer/);
    await expect.poll(() => seen.isConnected).toBe(false);
    expect(gateway.subscription.isFromWorker).toBe(true);
    await expect.poll(() => gateway.known).toEqual(worker.cache);
    await server.kill();
    write(`jetstream { store_dir: ${JSON.stringify(place)} }`);
    await server.resume();
    await expect.poll(back).toHaveLength(1);
    await expect.poll(() => gateway.subscription.isLive).toBe(true);
    expect([seen.isConnected, publisher.isLive]).toEqual([true, true]);
    rmSync(place, { recursive: true });
  },
);
