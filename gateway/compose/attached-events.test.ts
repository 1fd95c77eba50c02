import { expect, test } from "vitest";
import type { Gateway } from "./create-gateway.ts";
import { ask, attach, FaultyEngine, overlap, stored } from "./test-engine.ts";

/** Engines with KV events, behind a gateway that makes no predictions. */
async function open(count: number, blockSize?: number) {
  const engines = await Promise.all(Array.from({ length: count }, () => FaultyEngine.start("vllm")));
  for (const engine of engines) await engine.openEvents();
  const gateway = await attach(engines, {
    engines: engines.map(({ url, name }) => ({ url, name, blockSize })),
    predictions: { eventTtlSeconds: 0, onlyTtlSeconds: 0 },
  });
  // A publisher drops messages until it knows of a subscription: empty batches show when it does.
  const isHeard = async () => {
    for (const engine of engines) engine.publish();
    return (await events(gateway)).every(({ batches }) => batches > 0);
  };
  await expect.poll(isHeard).toBe(true);
  return { gateway, engines };
}

const workers = async (gateway: Gateway) => (await ask(gateway, "/admin/workers")).body.data;
const events = async (gateway: Gateway): Promise<{ batches: number }[]> =>
  (await workers(gateway)).map((worker: { kv_events: object }) => worker.kv_events);

test("the events' block size overrides the metrics' and the operator's", async () => {
  const { gateway, engines } = await open(2, 64);
  const [one, two] = engines as [FaultyEngine, FaultyEngine];
  expect(await workers(gateway)).toMatchObject([{ block_size: 64 }, { block_size: 64 }]);
  one.publish(stored(1, 4, 32));
  await expect.poll(() => overlap(gateway, one, 1)).toBe(4);
  two.publish(stored(2, 4, 32));
  await expect.poll(() => overlap(gateway, two, 2)).toBe(4);
  expect(await overlap(gateway, one, 1)).toBe(4);
  expect(await workers(gateway)).toMatchObject([{ block_size: 32 }, { block_size: 32 }]);
});

test("until events arrive, the operator's block size overrides the metrics'", async () => {
  const { gateway } = await open(1, 64);
  expect(gateway.models.all()[0]?.blockSize).toBe(64);
});

test("if engines' events differ in block size, the first engine's are used", async () => {
  const { gateway, engines } = await open(2);
  const [one, two] = engines as [FaultyEngine, FaultyEngine];
  one.publish(stored(1, 8, 16));
  await expect.poll(() => overlap(gateway, one, 1)).toBe(8);
  two.publish(stored(2, 4, 32));
  const limitationsOfTwo = async () => JSON.stringify((await workers(gateway))[1].limitations);
  await expect.poll(limitationsOfTwo).toContain("their blocks have 32 tokens");
  expect(await overlap(gateway, two, 2)).toBe(0);
  expect(await overlap(gateway, one, 1)).toBe(8);
});

test("an unreadable event is reported, and the others in its batch are used", async () => {
  const { gateway, engines } = await open(1);
  const [engine] = engines as [FaultyEngine];
  engine.publish({ ...stored(2, 1, 16), token_ids: [2] }, stored(1, 8, 16));
  await expect.poll(() => overlap(gateway, engine, 1)).toBe(8);
  const [{ limitations }] = await workers(gateway);
  expect(limitations).toContainEqual({
    code: "kv-events-unreadable",
    what: expect.stringContaining("1 token ids for 1 blocks of 16"),
    flag: null,
  });
});
