import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DiscardPolicy, jetstreamManager } from "@nats-io/jetstream";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { hasNats, startNatsWith } from "../../testing/nats-server.ts";
import { NatsKvEvents } from "./stream.ts";
import { publishing } from "./testing.ts";

// What a worker says of its KV events while NATS answers, but does not take them.

const folder = temporaryFolder();

/** A server whose user `ro` may not publish to these subjects, until `permit`. */
async function startRefusing(...subjects: string[]) {
  const place = mkdtempSync(join(folder, "nats-"));
  const config = join(place, "nats.conf");
  const write = (denied: readonly string[]) =>
    writeFileSync(
      config,
      `jetstream { store_dir: ${JSON.stringify(place)} }
      authorization { users: [
        { user: admin, password: admin }
        { user: ro, password: ro, permissions: { publish: { deny: ${JSON.stringify(denied)} }, subscribe: ">" } }
      ] }`,
    );
  write(subjects);
  const server = await startNatsWith(() => ["-c", config]);
  return {
    worker: `nats://ro:ro@${server.host}`,
    gateway: `nats://admin:admin@${server.host}`,
    permit() {
      write(["unused"]);
      server.signal("SIGHUP");
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

describe.runIf(hasNats)("KV events that NATS does not take", () => {
  test("because the user may not publish: the worker says so once, until it may", async () => {
    await using server = await startRefusing("stator.kv_events.>");
    await using subject = await publishing(server.worker, server.gateway);
    const { worker, publisher, gateway, lost, back } = subject;
    worker.change(10);
    await expect.poll(lost).toHaveLength(1);
    expect(lost()[0]).toMatch(
      /permissions violation: the worker's NATS user may not publish to stator\.kv_events\.\w+\.\*/,
    );
    expect(publisher.isLive).toBe(false);
    expect(publisher.waiting).toBe(10);
    // More than the ring holds.
    await expect.poll(() => gateway.subscription.isFromWorker).toBe(true);
    for (let round = 0; round < 10; round++) {
      worker.change(20);
      await expect.poll(() => gateway.known).toEqual(worker.cache);
    }
    expect([lost().length, back().length, publisher.isLive]).toEqual([1, 0, false]);

    server.permit();
    worker.change(1);
    await expect.poll(back).toHaveLength(1);
    expect(publisher.isLive).toBe(true);
    await expect.poll(() => publisher.waiting).toBe(0);
    await expect.poll(() => gateway.subscription.isLive).toBe(true);
    worker.change(5);
    await expect.poll(() => gateway.known).toEqual(worker.cache);
    expect(lost()).toHaveLength(1);
  });

  test("because the user may not publish: a worker without batches says so too", async () => {
    await using server = await startRefusing("stator.kv_events.*.head");
    await using subject = await publishing(server.worker, server.gateway);
    const { publisher, lost, back } = subject;
    await expect.poll(lost).toHaveLength(1);
    expect(publisher.isLive).toBe(false);
    server.permit();
    await expect.poll(back).toHaveLength(1);
    expect([lost().length, publisher.isLive]).toEqual([1, true]);
  });

  test("because the stream is full: the worker says so, until it has room", async () => {
    await using server = await startNatsWith((data) => ["-js", "-sd", data]);
    const url = `nats://${server.host}`;
    const admin = await NatsKvEvents.open(url);
    const { streams } = await jetstreamManager(admin.connection);
    const limit = (max_msgs: number) =>
      streams.update(admin.name, { max_msgs, discard: "new" as DiscardPolicy });
    await limit(3);
    await using subject = await publishing(url);
    const { worker, publisher, gateway, lost, back } = subject;
    await expect.poll(() => publisher.isLive).toBe(true);
    worker.change(10);
    await expect.poll(() => lost().at(-1)).toMatch(/stator-kv-events does not confirm batches/);
    expect(publisher.isLive).toBe(false);
    await expect.poll(() => lost().at(-1)).toMatch(/does not confirm batches: maximum messages exceeded/);
    await expect.poll(() => gateway.known).toEqual(worker.cache);
    const said = lost().length;
    await limit(1_000);
    await expect.poll(back).toHaveLength(1);
    expect(publisher.isLive).toBe(true);
    await expect.poll(() => publisher.waiting).toBe(0);
    await expect.poll(() => gateway.known).toEqual(worker.cache);
    expect(lost()).toHaveLength(said);
    admin.close();
  });

  test("because it is back without JetStream: the reason is named, and no one says that it is reachable", async () => {
    let hasJetStream = true;
    await using server = await startNatsWith((data) => (hasJetStream ? ["-js", "-sd", data] : []));
    await using subject = await publishing(`nats://${server.host}`);
    const { worker, publisher, gateway, seen, lost, back } = subject;
    await expect.poll(() => publisher.isLive).toBe(true);
    const states: [boolean, string | undefined][] = [];
    seen.onState((isConnected, reason) => void states.push([isConnected, reason]));
    await server.kill();
    await expect.poll(lost).toHaveLength(1);
    expect(lost()[0]).toContain("the connection is lost");
    hasJetStream = false;
    await server.resume();
    await expect.poll(lost).toHaveLength(2);
    expect(lost()[1]).toMatch(/is JetStream on \(nats-server -js\)\?/);
    await expect.poll(() => states.at(-1)?.[1]).toMatch(/is JetStream on/);
    expect([seen.isConnected, publisher.isLive, gateway.subscription.isFromWorker]).toEqual([
      false,
      false,
      true,
    ]);
    worker.change(5);
    await expect.poll(() => gateway.known).toEqual(worker.cache);

    await server.kill();
    hasJetStream = true;
    await server.resume();
    await expect.poll(back).toHaveLength(1);
    await expect.poll(() => seen.isConnected).toBe(true);
    expect(states.filter(([isConnected]) => isConnected)).toHaveLength(1);
    await expect.poll(() => gateway.subscription.isLive).toBe(true);
    expect([lost().length, publisher.isLive]).toEqual([2, true]);
  });
});
