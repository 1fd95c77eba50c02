import { afterAll, describe, expect, test } from "vitest";
import { randomId } from "../../ids.ts";
import { connectToNats, parseNatsUrl } from "../../nats/connect.ts";
import { hasNats, startNats, startPlainNats } from "../../testing/nats-server.ts";
import { discoverySuite } from "../common-suite.ts";
import { openDiscovery } from "../open.ts";
import { openPair } from "../test-pair.ts";
import { watchLog } from "../testing.ts";
import { entryName, leaseName } from "./keys.ts";

/** The bucket, through a separate connection. */
async function bucketOf(host: string, name: string) {
  const [{ Kvm }, { jetstream }] = await Promise.all([import("@nats-io/kv"), import("@nats-io/jetstream")]);
  const connection = await connectToNats(parseNatsUrl(`//${host}`), 5_000);
  const bucket = await new Kvm(jetstream(connection)).create(name);
  return { bucket, [Symbol.asyncDispose]: () => connection.close() };
}

describe.runIf(hasNats)("with a real nats-server", async () => {
  const shared = hasNats ? await startNats() : undefined;
  afterAll(() => shared?.[Symbol.asyncDispose]());

  discoverySuite("NATS", () => {
    const name = randomId();
    return {
      open: () => openDiscovery(`nats://${shared!.host}/${name}`),
      erase: async (key) => {
        await using other = await bucketOf(shared!.host, name);
        await other.bucket.delete(entryName(key));
      },
      forget: async (leaseId) => {
        await using other = await bucketOf(shared!.host, name);
        await other.bucket.delete(leaseName(leaseId));
      },
    };
  });

  /** A separate server, with a writer and a reader. */
  const pair = () => openPair(startNats, (host) => `nats://${host}`);

  test("a server that lost its data gets all entries again", async () => {
    await using both = await pair();
    const { server, writer, reader } = both;
    for (let count = 0; count < 20; count++) await writer.put("history", count);
    await writer.put("worker", 1, await writer.lease({ ttlMs: 2_000 }));
    const log = await watchLog(reader, "");
    await server.kill();
    server.loseData();
    await server.resume();
    await log.until((entries) => entries.size === 1 && entries.get("worker") === 1);
    await writer.put("new", 1);
    await log.until((entries) => entries.get("new") === 1);
  });

  test("a dead holder's entries disappear when its lease expires, also for later readers", async () => {
    await using both = await pair();
    const { server, writer, reader } = both;
    const log = await watchLog(reader, "");
    await using other = await bucketOf(server.host, "stator");
    const id = randomId();
    await writer.put("alive", 1, await writer.lease({ ttlMs: 2_000 }));
    await other.bucket.put(leaseName(id), JSON.stringify({ ttlMs: 1_000 }));
    await other.bucket.put("entry.ZGVhZA", JSON.stringify({ key: "dead", lease: id, json: "1" }));
    await log.until((entries) => entries.has("dead"));
    await log.until((entries) => !entries.has("dead"));
    const later = await openDiscovery(`nats://${server.host}`);
    expect(await later.get("")).toEqual(new Map([["alive", 1]]));
    await later.close();
  });

  test("other programs' values are reported once and skipped", async () => {
    await using both = await pair();
    const { server, writer, reader, errors } = both;
    await using other = await bucketOf(server.host, "stator");
    await other.bucket.put("entry.foreign", "<xml>");
    await other.bucket.put(
      "entry.Zm9yZWlnbg",
      JSON.stringify({ key: "foreign", lease: null, json: "<xml>" }),
    );
    await other.bucket.put("something.else", "1");
    const log = await watchLog(reader, "");
    await writer.put("good", 1);
    await log.until((entries) => entries.has("good"));
    await reader.get("");
    expect([...log.entries.keys()]).toEqual(["good"]);
    expect(errors).toEqual([
      'The value of "entry.foreign" in NATS is not Stator\'s, and was skipped.',
      'The value of "foreign" is not JSON, and was skipped.',
    ]);
  });

  test("logs in with a password, while some of several servers are down", async () => {
    await using server = await startNats("--user", "ann", "--pass", "se:cret");
    await expect(openDiscovery(`nats://ann:wrong@${server.host}`)).rejects.toThrow(/authorization/i);
    const discovery = await openDiscovery(`nats://ann:se%3Acret@127.0.0.1:1,${server.host}`);
    await discovery.put("a", 1);
    expect(await discovery.get("")).toEqual(new Map([["a", 1]]));
    await discovery.close();
  });

  test("a server without JetStream is rejected with what to do", async () => {
    await using server = await startPlainNats();
    await expect(openDiscovery(`nats://${server.host}`)).rejects.toThrow("nats-server -js");
  });
});

test.each([
  ["nats:host", /it has no host/],
  ["nats://host/a/b", /'a\/b' is not/],
  ["nats://host?colour=red", /there is no option 'colour'/],
])("the URL %s is rejected with the reason", async (url, reason) => {
  const opening = openDiscovery(url);
  await expect(opening).rejects.toMatchObject({ code: "bad_url" });
  await expect(opening).rejects.toThrow(reason);
});
