import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, attach } from "../access/attached.ts";
import { metric } from "../metrics.ts";
import type { StatorProcess } from "../stator-process.ts";
import { ScriptedEngine, sendJson } from "./scripted-engine.ts";

// The gateway's own errors in the shape of the request's API, and usage read from other APIs' streams.

let engine: ScriptedEngine;
let stator: StatorProcess;
let url: string;

beforeAll(async () => {
  engine = await ScriptedEngine.start("tiny", (_, response) => sendJson(response, {}));
  ({ stator, url } = await attach([engine.url], "--retries=1"));
});

afterAll(async () => {
  expect(await stator.stop()).toBe(0);
  await engine[Symbol.asyncDispose]();
});

/** Sends the events one by one, then breaks or ends the stream. */
function streams(events: readonly string[], end: (response: ServerResponse) => void) {
  return async (_: unknown, response: ServerResponse) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const event of events) await new Promise<void>((sent) => response.write(event, () => sent()));
    setTimeout(() => end(response), 20);
  };
}

const breakOff = (response: ServerResponse) => response.destroy();
const post = (path: string, json: object = {}) =>
  ask(`${url}/v1/${path}`, { json: { model: "tiny", stream: true, ...json } });
const lastEvent = (body: unknown) => String(body).trim().split("\n\n").at(-1)!;
const dataOf = (event: string) => JSON.parse(/^data: (.*)$/m.exec(event)![1]!);

const MESSAGE = {
  type: "message_start",
  message: { id: "msg_1", type: "message", role: "assistant", content: [], usage: { input_tokens: 9 } },
};
const DELTA = { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 7 } };
const named = (event: { type: string }) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;

describe("Anthropic's API", () => {
  test("gets errors in Anthropic's shape, with the request id", async () => {
    const { status, body, headers } = await post("messages", { model: "tiyn" });
    expect(status).toBe(404);
    expect(body).toEqual({
      type: "error",
      error: { type: "not_found_error", message: expect.stringContaining("Did you mean 'tiny'?") },
      request_id: headers.get("x-request-id"),
    });
  });

  test("gets its own error event when a stream breaks", async () => {
    engine.answer = streams([named(MESSAGE)], breakOff);
    const { body } = await post("messages");
    const last = lastEvent(body);
    expect(last).toMatch(/^event: error\n/);
    expect(dataOf(last)).toMatchObject({ type: "error", error: { type: "api_error" } });
  });

  test("has its tokens counted, wherever in the stream they are reported", async () => {
    const before = await metric(url, "stator_output_tokens_total");
    const end = named({ type: "message_stop" });
    engine.answer = streams([named(MESSAGE), named(DELTA), end], (response) => response.end());
    expect(String((await post("messages")).body)).toBe(`${named(MESSAGE)}${named(DELTA)}${end}`);
    expect(await metric(url, "stator_output_tokens_total")).toBe(before + 7);
  });
});

test("a broken stream of OpenAI's Responses ends with its own error event and the next sequence number", async () => {
  const events = [0, 1].map((n) => named({ type: "response.created", ...{ sequence_number: n } }));
  engine.answer = streams(events, breakOff);
  const last = lastEvent((await post("responses", { input: "Hello" })).body);
  expect(last).toMatch(/^event: error\n/);
  const expected = { type: "error", code: "engine_failed", sequence_number: 2, param: null };
  expect(dataOf(last)).toMatchObject({ ...expected, error: { code: "engine_failed" } });
});

test.each(["chat/completions", "messages"])("garbage in a stream of %s is not passed on", async (path) => {
  const begun = Promise.withResolvers<void>();
  engine.answer = async (_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write('data: {"id":"x"}\n\n');
    await begun.promise;
    response.end("\x00\x01garbage\n\n");
  };
  const response = await fetch(`${url}/v1/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: "tiny",
      stream: true,
      messages: [{ role: "user", content: "Hi" }],
      tools: [],
    }),
  });
  let body = "";
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    body += part;
    begun.resolve();
  }
  expect(body).toContain('{"id":"x"}');
  expect(body).not.toContain("garbage");
  expect(lastEvent(body)).toContain("error");
});

test.each([
  ["half of an object", "application/json", '{"id":'],
  ["a page", "text/html", "<html></html>"],
  ["nothing", "application/json", ""],
])("%s is not accepted as a chat's answer", async (_what, type, body) => {
  engine.answer = (_, response) => response.writeHead(200, { "content-type": type }).end(body);
  const refused = await post("chat/completions", { messages: [], stream: false });
  expect([refused.status, refused.body.error?.code]).toEqual([502, "engine_failed"]);
});

test("a redirect to another address counts as an engine failure and is not followed", async () => {
  engine.answer = (_, response) => response.writeHead(307, { location: "http://127.0.0.1:1/login" }).end();
  expect((await post("chat/completions", { messages: [] })).status).toBe(502);
});

test("a too deeply nested body is refused", async () => {
  const prompt = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
  const headers = { "content-type": "application/json" };
  for (const path of ["completions", "chat/completions", "messages"]) {
    const body = `{"model":"tiny","prompt":${prompt},"messages":${prompt}}`;
    const { status } = await ask(`${url}/v1/${path}`, { method: "POST", body, headers });
    expect(status).toBe(400);
  }
});

test("the gateway refuses itself as an engine, and requests that loop back", async () => {
  await ask(`${url}/admin/workers`, { json: { url, name: "itself" } });
  const { body } = await ask(`${url}/admin/workers/itself`);
  expect(body).toMatchObject({ state: "down", reason: expect.stringContaining("is this gateway itself") });
  await ask(`${url}/admin/workers/itself?now=true`, { method: "DELETE" });
  // Through another server that forwards everything, headers included.
  engine.answer = async (request, response) => {
    const again = await fetch(`${url}${request.url}`, { headers: { via: String(request.headers.via) } });
    sendJson(response, await again.json(), again.status);
  };
  const looped = await ask(`${url}/v1/files`);
  expect([looped.status, looped.body.error?.code]).toEqual([508, "loop_detected"]);
});

test("an overloaded engine's own answer is passed on if no other engine can take over", async () => {
  const refusal = { error: { message: "Come back later.", type: "TooManyRequests" } };
  let asked = 0;
  engine.answer = (_, response) => {
    asked++;
    sendJson(response, refusal, 429, { "retry-after": "17" });
  };
  const { status, headers, body } = await post("chat/completions", { messages: [] });
  expect(status).toBe(429);
  expect(headers.get("retry-after")).toBe("17");
  expect(body).toEqual(refusal);
  expect(asked).toBe(1);
});

test("25 MB of audio pass, as in OpenAI's API", async () => {
  let received = 0;
  engine.answer = async (request, response) => {
    for await (const part of request) received += part.length;
    sendJson(response, { text: "Hello." });
  };
  const form = new FormData();
  form.append("model", "tiny");
  form.append("file", new Blob([new Uint8Array(25 * 1024 * 1024)]), "speech.wav");
  const { status, body } = await ask(`${url}/v1/audio/transcriptions`, { method: "POST", body: form });
  expect([status, body]).toEqual([200, { text: "Hello." }]);
  expect(received).toBeGreaterThan(25 * 1024 * 1024);
});

test("an engine without a model is attached, with a warning that it is not usable yet", async () => {
  await using empty = await ScriptedEngine.start([], () => {});
  await ask(`${url}/admin/workers`, { json: { url: empty.url, name: "empty" } });
  const { body } = await ask(`${url}/admin/workers/empty`);
  expect(body.limitations).toContainEqual(expect.objectContaining({ code: "models" }));
  await ask(`${url}/admin/workers/empty?now=true`, { method: "DELETE" });
});

describe("a model whose only engine is detached", () => {
  test("is no longer listed, and does not affect requests without a model", async () => {
    await using other = await ScriptedEngine.start("other", (_, response) =>
      sendJson(response, { ok: true }),
    );
    engine.answer = (_, response) => sendJson(response, { ok: true });
    await ask(`${url}/admin/workers`, { json: { url: other.url, name: "other" } });
    const listed = async () => JSON.stringify((await ask(`${url}/v1/models`)).body);
    expect(await listed()).toContain("other");
    const nameless = await ask(`${url}/v1/files`);
    expect(nameless.status).toBe(400);
    expect(JSON.stringify(nameless.body)).toContain("?model=NAME");
    await ask(`${url}/admin/workers/other?now=true`, { method: "DELETE" });
    expect(await listed()).not.toContain("other");
    expect((await ask(`${url}/v1/files`)).body).toEqual({ ok: true });
    expect((await post("chat/completions", { model: "other", messages: [] })).status).toBe(503);
  });
});
