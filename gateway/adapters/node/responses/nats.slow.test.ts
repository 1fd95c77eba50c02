import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomId } from "#runtime";
import { hasNats, startNats, startNatsWith } from "../../../../runtime/testing/nats-server.ts";
import type { TestServer } from "../../../../runtime/testing/test-server.ts";
import { responseStoreSuite } from "../../../api/responses/store.suite.ts";
import { openResponses } from "./index.ts";
import { NatsResponses } from "./nats.ts";

const HOUR_MS = 3_600_000;

test("says at once that it waits for a server that does not answer", async () => {
  const reason = new Promise<string>((resolve) => {
    NatsResponses.open("nats://127.0.0.1:1", HOUR_MS, resolve).catch(() => {});
  });
  expect(await reason).toMatch(/^NATS at 127\.0\.0\.1:1: /);
});

describe.runIf(hasNats)("NATS", () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startNats();
  });

  afterAll(() => server[Symbol.asyncDispose]());

  responseStoreSuite("NATS", async (ttlMs) => {
    // Each user name has a connection of its own.
    const bucket = randomId();
    const [one, two] = await Promise.all(
      ["one", "two"].map((user) => openResponses(`nats://${user}@${server.host}/${bucket}`, ttlMs)),
    );
    return [one!, two!];
  });

  test("a response whose gateway has ended has failed, and its events end", async () => {
    const [maker, other] = await Promise.all(
      ["a", "b"].map((user) => NatsResponses.open(`nats://${user}@${server.host}/ending`, HOUR_MS)),
    );
    const id = "resp_0000000000000001";
    const response = { id, status: "in_progress", output: [] } as never;
    await maker!.put({ owner: "", response, input: [] });
    const log = await maker!.openLog(id, "");
    log.append("a");
    const events = (await other!.follow(id, "", 0, new AbortController().signal))![Symbol.asyncIterator]();
    expect(await events.next()).toEqual({ done: false, value: "a" });
    maker!.close();
    await expect(events.next()).rejects.toMatchObject({ status: 503, code: "server_error" });
    expect((await other!.get(id))?.response).toMatchObject({ status: "failed" });
    other!.close();
  });

  test("while it is away, requests are refused with 503, and answered again afterwards", async () => {
    await using leaving = await startNats();
    const store = await NatsResponses.open(`nats://${leaving.host}/leaving`, HOUR_MS);
    const id = "conv_0000000000000001";
    await store.begin(id, { type: "created", owner: "", createdAt: 1, metadata: {}, items: [] });
    await leaving.kill();
    await expect(store.changes(id)).rejects.toMatchObject({
      status: 503,
      code: "responses_store_unavailable",
    });
    await leaving.resume();
    await expect.poll(() => store.changes(id).catch(() => undefined)).toHaveLength(1);
    store.close();
  });

  test("that cannot be used is an error at start-up", async () => {
    await using guarded = await startNatsWith(() => ["--user", "ann", "--pass", "secret"]);
    await expect(NatsResponses.open(`nats://${guarded.host}`, HOUR_MS)).rejects.toThrow(
      /^Responses cannot be kept where --responses-store says: NATS at 127\.0\.0\.1:\d+: .*Authorization/,
    );
  });

  test("keeps a conversation from its first change on as long as it is changed", async () => {
    const store = await NatsResponses.open(`nats://${server.host}/renewed`, 700);
    const id = "conv_0000000000000002";
    const began = Date.now();
    await store.begin(id, { type: "created", owner: "", createdAt: 1, metadata: {}, items: [] });
    let count = 0;
    while (Date.now() - began < 1_500) {
      expect(await store.change(id, { type: "described", metadata: { count: String(++count) } })).toBe(true);
      expect(await store.changes(id)).toHaveLength(count + 1);
    }
    store.close();
  });
});
