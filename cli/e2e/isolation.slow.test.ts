import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type StatorProcess, startUp } from "./stator-process.ts";

/** Heavy or hostile requests do not stall another client's stream. */
let stator: StatorProcess;
let url: string;
let openai: OpenAI;

beforeAll(async () => {
  stator = startUp("--context-length=2048");
  url = await stator.url();
  openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
});

afterAll(async () => {
  expect(await stator.stop()).toBe(0);
});

const post = (body: string) =>
  fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });

const chat = (messages: object[]) => JSON.stringify({ model: "default", messages, max_tokens: 1 });
const user = (content: string) => ({ role: "user", content });

describe.each([
  ["a word of 100,000 characters", () => chat([user("a".repeat(100_000))])],
  [
    "thousands of messages",
    () => chat(Array.from({ length: 5_000 }, (_, index) => user(`message ${index}`))),
  ],
  ["a megabyte of emoji", () => chat([user("🧑‍🚀".repeat(100_000))])],
  ["a megabyte of spaces", () => chat([user(" ".repeat(1_000_000))])],
  [
    "JSON nested 100,000 deep",
    () => `{"model":"default","messages":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
  ],
  [
    "metadata nested 10,000 deep",
    () =>
      `{"model":"default","metadata":{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}},"messages":[{"role":"user","content":"x"}],"max_tokens":1}`,
  ],
])("%s", (_, body) => {
  test("is answered or refused, and another client's stream continues", async () => {
    const stream = await openai.completions.create({
      model: "default",
      prompt: "red red red red red red red red",
      max_tokens: 30,
      ...{ ignore_eos: true },
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
    });
    const hostile = post(body());
    let tokens: number | undefined;
    for await (const chunk of stream) tokens = chunk.usage?.completion_tokens ?? tokens;
    expect(tokens).toBe(30);
    const response = await hostile;
    expect([200, 400]).toContain(response.status);
    const answer: unknown = await response.json();
    if (response.status === 400) expect(answer).toMatchObject({ error: { message: expect.any(String) } });
  });
});

test("a client that does not read delays only its own answer", async () => {
  const controller = new AbortController();
  const body = JSON.stringify({
    model: "default",
    prompt: "Once",
    max_tokens: 1500,
    ignore_eos: true,
    stream: true,
  });
  const headers = { "content-type": "application/json" };
  const unread = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers,
    body,
    signal: controller.signal,
  });
  expect(unread.status).toBe(200);
  const answer = await openai.completions.create({
    model: "default",
    prompt: "red red red red",
    max_tokens: 5,
    temperature: 0,
  });
  expect(answer.choices[0]!.finish_reason).toBe("length");
  controller.abort();
});
