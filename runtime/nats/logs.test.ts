import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasNats, startNatsWith } from "../testing/nats-server.ts";
import type { TestServer } from "../testing/test-server.ts";
import { NatsLogs } from "./logs.ts";

const OPTIONS = { kind: "test", description: "test", maxBytes: 64 * 2 ** 20, maxAgeMs: 60_000 };

describe.runIf(hasNats)("logs of NATS", () => {
  let server: TestServer;
  let logs: NatsLogs;

  beforeAll(async () => {
    server = await startNatsWith((data) => ["-js", "-sd", data]);
    logs = await NatsLogs.open(`nats://${server.host}/tests`, OPTIONS);
  });

  afterAll(async () => {
    logs.close();
    await server[Symbol.asyncDispose]();
  });

  const textsOf = async (log: string) => (await logs.read(log).rest()).map(({ text }) => text);

  test("stay whole if they are to be removed before the stream's first message", async () => {
    await logs.remove("first.x", await logs.append("first.x", "one"));
    expect(await textsOf("first.x")).toEqual(["one"]);
  });

  test("keep texts in order, each log its own", async () => {
    for (const text of ["one", "two", ""]) await logs.append("a.x", text);
    await logs.append("b.x", "other");
    expect(await textsOf("a.x")).toEqual(["one", "two", ""]);
    expect(await textsOf("c.x")).toEqual([]);
  });

  test("keep texts longer than a message, also if several are appended at once", async () => {
    const texts = Array.from({ length: 3 }, (_, index) => `${index}é😀`.repeat(800_000));
    await Promise.all(texts.map((text) => logs.append("long.x", text)));
    expect((await textsOf("long.x")).sort()).toEqual(texts);
  });

  test("count an attempt once that was repeated", async () => {
    for (let attempt = 0; attempt < 2; attempt++) await logs.append("again.x", "text", "same");
    expect(await textsOf("again.x")).toEqual(["text"]);
  });

  test("tell that a text is not there as a whole, and go on once it is", async () => {
    const reader = logs.read("torn.x");
    const ends = logs.append("torn.x", "a".repeat(5_000_000));
    let entry = await reader.next();
    while (entry === undefined) entry = await reader.next();
    await ends;
    expect(entry.text).toHaveLength(5_000_000);
    expect(reader.isTorn).toBe(false);
  });

  test("are removed in part or as a whole", async () => {
    await logs.append("old.x", "one");
    const second = await logs.append("old.x", "two");
    await logs.remove("old.x", second);
    expect(await textsOf("old.x")).toEqual(["two"]);
    await logs.append("old.y", "three");
    await logs.remove("old.*");
    expect([await textsOf("old.x"), await textsOf("old.y")]).toEqual([[], []]);
  });

  test("are refused under a name that NATS cannot have, or without JetStream", async () => {
    await expect(NatsLogs.open(`nats://${server.host}/a.b`, OPTIONS)).rejects.toThrow("'a.b' is not valid");
    await using plain = await startNatsWith(() => []);
    await expect(NatsLogs.open(`nats://${plain.host}`, OPTIONS)).rejects.toThrow("is JetStream on");
  });
});
