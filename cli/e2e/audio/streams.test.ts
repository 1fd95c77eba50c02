import OpenAI from "openai";
import { beforeAll, describe, expect, test } from "vitest";
import { metric, until } from "../metrics.ts";
import { type OwnGateway, startOwnGateway } from "../workers/own-gateway.ts";
import { ask, file } from "./ask.ts";
import { SILENCE, Stenographer } from "./stenographer.ts";

/** Transcriptions that are streamed, and those that end early. */
const speech = new Stenographer("speech");
let gateway: OwnGateway;
let openai: OpenAI;

beforeAll(async () => {
  gateway = await startOwnGateway({ speech: speech.engine });
  openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "none", maxRetries: 0 });
});

describe("a stream", () => {
  test("has the text as it is ready, and ends with all of it", async () => {
    const stream = await openai.audio.transcriptions.create({
      model: "speech",
      file: await file(),
      stream: true,
      response_format: "json",
    });
    const events: object[] = [];
    for await (const event of stream) events.push(event);
    expect(events).toEqual([
      ...["ever", " tried", " ever", " failed"].map((delta) => ({ type: "transcript.text.delta", delta })),
      {
        type: "transcript.text.done",
        text: "ever tried ever failed",
        usage: { type: "duration", seconds: 4 },
      },
    ]);
  });

  test("delivers a word before the next one is heard", async () => {
    const held = Promise.withResolvers<void>();
    speech.onWord = (word) => (word === "tried" ? held.promise : undefined);
    const stream = await openai.audio.transcriptions.create({
      model: "speech",
      file: await file(),
      stream: true,
    });
    const events = stream[Symbol.asyncIterator]();
    expect((await events.next()).value).toMatchObject({ delta: "ever" });
    held.resolve();
    expect((await events.next()).value).toMatchObject({ delta: " tried" });
    await events.return?.();
  });

  test("of silence has only the end", async () => {
    const audio = await file(SILENCE);
    const stream = await openai.audio.transcriptions.create({ model: "speech", file: audio, stream: true });
    const events: object[] = [];
    for await (const event of stream) events.push(event);
    expect(events).toEqual([
      { type: "transcript.text.done", text: "", usage: { type: "duration", seconds: 1 } },
    ]);
  });

  test("continues on another worker when its own is lost, and repeats nothing", async () => {
    const [first, second] = [new Stenographer("twin"), new Stenographer("twin")];
    const held = Promise.withResolvers<void>();
    for (const each of [first, second])
      each.onWord = (word) =>
        word === "tried" && first.asked.length + second.asked.length === 1 ? held.promise : undefined;
    const twins = await startOwnGateway({ first: first.engine, second: second.engine });
    const client = new OpenAI({ baseURL: `${twins.url}/v1`, apiKey: "none", maxRetries: 0 });
    const stream = await client.audio.transcriptions.create({
      model: "twin",
      file: await file(),
      stream: true,
    });
    const texts: string[] = [];
    for await (const event of stream) {
      if (event.type === "transcript.text.done") texts.push(event.text);
      if (event.type !== "transcript.text.delta") continue;
      texts.push(event.delta);
      if (texts.length === 1) void twins.kill(first.asked.length === 1 ? "first" : "second");
    }
    held.resolve();
    expect(texts).toEqual(["ever", " tried", " ever", " failed", "ever tried ever failed"]);
    expect([first.asked.length, second.asked.length]).toEqual([1, 1]);
  });

  test("stops the engine when the client leaves", async () => {
    const held = Promise.withResolvers<void>();
    const aborted = speech.aborted;
    speech.onWord = (word) => (word === "tried" ? held.promise : undefined);
    const stream = await openai.audio.transcriptions.create({
      model: "speech",
      file: await file(),
      stream: true,
    });
    for await (const _ of stream) break;
    stream.controller.abort();
    await until(async () => (await metric(gateway.url, "stator_disconnected_clients_total")) > 0);
    held.resolve();
    await until(async () => speech.aborted > aborted);
  });
});

test("a client that leaves before its whole answer stops the engine", async () => {
  const held = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const aborted = speech.aborted;
  speech.onWord = () => {
    begun.resolve();
    return held.promise;
  };
  const leaving = new AbortController();
  const answer = ask(gateway.url, { init: { signal: leaving.signal } });
  answer.catch(() => {});
  await begun.promise;
  const before = await metric(gateway.url, "stator_disconnected_clients_total");
  leaving.abort();
  await expect(answer).rejects.toThrow();
  await until(async () => (await metric(gateway.url, "stator_disconnected_clients_total")) > before);
  held.resolve();
  await until(async () => speech.aborted > aborted);
  speech.onWord = () => {};
});

test("a whole answer is begun anew by another worker when its own is lost", async () => {
  const [first, second] = [new Stenographer("twin"), new Stenographer("twin")];
  const held = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const asked = () => first.asked.length + second.asked.length;
  for (const each of [first, second])
    each.onWord = (word) => {
      if (word !== "tried" || asked() > 1) return;
      begun.resolve();
      return held.promise;
    };
  const twins = await startOwnGateway({ first: first.engine, second: second.engine });
  const answer = ask(twins.url, { fields: { model: "twin" } });
  await begun.promise;
  void twins.kill(first.asked.length === 1 ? "first" : "second");
  expect((await (await answer).json()).text).toBe("ever tried ever failed");
  held.resolve();
  expect(asked()).toBe(2);
});

test("a deadline ends the request", async () => {
  const held = Promise.withResolvers<void>();
  speech.onWord = () => held.promise;
  const response = await ask(gateway.url, { init: { headers: { "x-stator-deadline-ms": "50" } } });
  expect(response.status).toBe(504);
  held.resolve();
  speech.onWord = () => {};
});
