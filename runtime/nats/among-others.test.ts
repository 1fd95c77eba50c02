import { expect, test } from "vitest";
import { openDiscovery } from "../discovery/open.ts";
import { randomId } from "../ids.ts";
import { NatsKvEvents } from "../kv-events/nats/stream.ts";
import { hasNats, startNats } from "../testing/nats-server.ts";
import { amongOthers } from "./among-others.ts";

const error = (code: number) => Object.assign(new Error(String(code)), { code });

test("looks again if another process has created the stream in between", async () => {
  const outcomes = [error(10_065), error(10_058), "opened"];
  const open = async () => {
    const outcome = outcomes.shift();
    if (typeof outcome !== "string") throw outcome;
    return outcome;
  };
  expect(await amongOthers(open)).toBe("opened");
});

test("reports other errors at once, and subjects that are another stream's in the end", async () => {
  let attempts = 0;
  const failing = (code: number) => async () => {
    attempts++;
    throw error(code);
  };
  await expect(amongOthers(failing(10_059))).rejects.toThrow("10059");
  expect(attempts).toBe(1);
  await expect(amongOthers(failing(10_065))).rejects.toThrow("10065");
  expect(attempts).toBeGreaterThan(5);
});

test.runIf(hasNats)("processes that start together find one stream and one bucket", async () => {
  await using server = await startNats();
  for (let round = 0; round < 5; round++) {
    const name = randomId();
    // Each user name has a connection of its own.
    const urls = Array.from({ length: 8 }, (_, index) => `nats://${index}@${server.host}/${name}`);
    const streams = await Promise.all(urls.map((url) => NatsKvEvents.open(url)));
    const stores = await Promise.all(urls.map((url) => openDiscovery(url)));
    await stores[0]!.put("one", 1);
    await expect.poll(async () => Object.fromEntries(await stores[7]!.get(""))).toEqual({ one: 1 });
    for (const stream of streams) stream.close();
    for (const store of stores) await store.close();
  }
});
