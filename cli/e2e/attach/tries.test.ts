import type { IncomingMessage, ServerResponse } from "node:http";
import { createGzip } from "node:zlib";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { ask, attach } from "../access/attached.ts";
import type { StatorProcess } from "../stator-process.ts";
import { ScriptedEngine, sendJson } from "./scripted-engine.ts";

// How often a request is sent when engines fail, and which answer the client gets in the end.

const ENGINES = 5;

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown;

let engines: ScriptedEngine[];
let stator: StatorProcess;
let url: string;

beforeAll(async () => {
  engines = await Promise.all(Array.from({ length: ENGINES }, () => ScriptedEngine.start("tiny", () => {})));
  const addresses = engines.map((engine) => engine.url);
  ({ stator, url } = await attach(addresses, "--retries=4", "--slow-start=0"));
});

/** The engines that got requests in this test. */
let asked = 0;
let askedEngines = new Set<ScriptedEngine>();

beforeEach(async () => {
  // Failures of the previous test must not count against engines.
  answerWith((_, response) => sendJson(response, { choices: [] }));
  for (const { url } of [...engines, ...engines, ...engines])
    expect((await complete({ stator: { worker: new URL(url).host } })).status).toBe(200);
  asked = 0;
  askedEngines = new Set();
});

afterAll(async () => {
  expect(await stator.stop()).toBe(0);
  await Promise.all(engines.map((engine) => engine[Symbol.asyncDispose]()));
});

function answerWith(answer: Answer): void {
  for (const engine of engines) {
    engine.answer = (request, response) => {
      asked++;
      askedEngines.add(engine);
      request.resume();
      return answer(request, response);
    };
  }
}

const complete = (more: object = {}) =>
  ask(`${url}/v1/completions`, { json: { model: "tiny", prompt: "Once", max_tokens: 9, ...more } });

const text = (text: string, finish_reason: string | null = null) =>
  `data: ${JSON.stringify({ id: "c", choices: [{ index: 0, text, finish_reason }] })}\n\n`;

const begin = (response: ServerResponse) => response.writeHead(200, { "content-type": "text/event-stream" });

test("if every engine refuses, the client gets the last one's own answer", async () => {
  const words = { error: { message: "CUDA out of memory", type: "InternalServerError" } };
  answerWith((_, response) => sendJson(response, { ...words, number: asked }, 500, { "x-engine": "mine" }));
  const { status, body, headers } = await complete();
  expect([status, body]).toEqual([500, { ...words, number: ENGINES }]);
  expect(headers.get("x-engine")).toBe("mine");
  expect(asked).toBe(ENGINES);
});

test("an error answer too long to buffer is requested again, and passes on whole in the end", async () => {
  const words = { detail: "x".repeat(200_000) };
  answerWith((_, response) => sendJson(response, words, 500));
  const { status, body } = await complete();
  expect([status, body]).toEqual([500, words]);
  expect(asked).toBe(ENGINES);
});

test("an engine that never finishes its error answer is abandoned for another one", async () => {
  answerWith((_, response) => {
    if (asked === 1) response.writeHead(503).write("bu");
    else sendJson(response, { choices: [{ index: 0, text: "One", finish_reason: "stop" }] });
  });
  expect((await complete()).status).toBe(200);
  expect(asked).toBe(2);
});

test("an engine's error answer is passed on even if the others are unreachable", async () => {
  answerWith((_, response) =>
    asked === 1 ? sendJson(response, { detail: "busy" }, 503) : response.destroy(),
  );
  const { status, body } = await complete();
  expect([status, body]).toEqual([503, { detail: "busy" }]);
});

test("an error that ends every stream before it has begun is passed on unchanged", async () => {
  const event = 'data: {"error":{"message":"worker died","code":500}}\n\n';
  answerWith((_, response) => begin(response).end(event));
  const { status, body } = await complete({ stream: true });
  expect([status, body]).toEqual([200, `${event}data: [DONE]\n\n`]);
  expect(asked).toBe(ENGINES);
});

test("an error in the middle of a stream that cannot continue is passed on unchanged", async () => {
  const event = 'data: {"error":{"message":"worker died"}}\n\n';
  answerWith((_, response) => begin(response).end(text("One ") + event));
  const { body } = await complete({ stream: true, n: 2 });
  expect(body).toBe(text("One ") + event);
  expect(asked).toBe(1);
});

test.each([
  ["in a stream", true],
  ["with status 200", false],
])("an error of the request %s is the client's, once", async (_where, stream) => {
  const error = { error: { message: "The prompt is too long", type: "invalid_request_error", code: 400 } };
  const event = `data: ${JSON.stringify(error)}\n\n`;
  answerWith((_, response) => (stream ? begin(response).end(event) : sendJson(response, error)));
  const { status, body } = await complete({ stream });
  expect([status, body]).toEqual([200, stream ? event : error]);
  expect(asked).toBe(1);
});

test("a whole answer to a streaming request passes on", async () => {
  const answer = { id: "c", choices: [{ index: 0, text: "One", finish_reason: "stop" }] };
  answerWith((_, response) => sendJson(response, answer));
  expect(await complete({ stream: true })).toMatchObject({ status: 200, body: answer });
  expect(asked).toBe(1);
});

test.each([
  ["is one JSON document", (json: string) => json],
  ["is one JSON document with line breaks", (json: string) => `\n${json.replaceAll(",", ",\n\n")}\n`],
])("an answer labelled as an event stream that %s passes on", async (_what, write) => {
  const answer = {
    id: "c",
    choices: [{ index: 0, text: "One", finish_reason: "stop" }],
    usage: { prompt_tokens: 1, completion_tokens: 2 },
  };
  const sent = write(JSON.stringify(answer));
  answerWith((_, response) => begin(response).end(sent));
  expect(await complete({ stream: true })).toMatchObject({ status: 200, body: answer });
  answerWith((_, response) => begin(response).write(sent.slice(0, 9), () => response.end(sent.slice(9))));
  expect(await complete({ stream: true })).toMatchObject({ status: 200, body: answer });
  expect(asked).toBe(2);
});

test.each([
  ["an incomplete document", '{"id":"c","choices":['],
  ["a document and an event", `{"id":"c"}\n\n${text("One", "stop")}`],
  ["an error document", '{"error":{"message":"worker died","code":500}}'],
])("%s labelled as an event stream is retried", async (_what, sent) => {
  answerWith((_, response) => begin(response).end(asked === 1 ? sent : text("One", "stop")));
  expect(await complete({ stream: true })).toMatchObject({ status: 200, body: text("One", "stop") });
  expect(asked).toBe(2);
});

test.each([
  ["before they answer", (response: ServerResponse) => response.destroy()],
  [
    "with a stream's first event",
    (response: ServerResponse) => begin(response).write(text(""), () => response.destroy()),
  ],
])("a request over which engines break off %s is sent to two of them", async (_when, breakOff) => {
  answerWith((_, response) => breakOff(response));
  const { body } = await complete({ stream: true });
  expect(JSON.stringify(body)).toContain("engine_failed");
  expect(askedEngines.size).toBe(2);
  // The first one perhaps twice: a pooled connection may have closed for other reasons.
  expect(asked).toBeLessThanOrEqual(3);
});

test("an answer constrained by a grammar is not continued", async () => {
  answerWith((_, response) =>
    begin(response).write(text('{"name": "Ann", "age":'), () => response.destroy()),
  );
  const { body } = await complete({ stream: true, structured_outputs: { json: {} } });
  expect(body).toContain("engine_failed");
  expect(asked).toBe(1);
});

test("a stream without [DONE] and without all choices finished is incomplete", async () => {
  answerWith((_, response) => begin(response).end(text("One", "stop")));
  expect((await complete({ stream: true, n: 2 })).body).toContain("engine_failed");
  expect((await complete({ stream: true })).body).toBe(text("One", "stop"));
});

test("a compressed stream passes on as it arrives", async () => {
  const sent = Promise.withResolvers<void>();
  answerWith(async (_, response) => {
    const zip = createGzip();
    response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": "gzip" });
    zip.pipe(response);
    zip.write(text("One"));
    zip.flush();
    await sent.promise;
    zip.end(`${text("", "stop")}data: [DONE]\n\n`);
  });
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "tiny", prompt: "Once", stream: true }),
  });
  let body = "";
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    body += part;
    // The rest is sent only after this has arrived.
    sent.resolve();
  }
  expect(body).toBe(`${text("One")}${text("", "stop")}data: [DONE]\n\n`);
  expect(asked).toBe(1);
});

test.each([400, 422])(
  "a request error %i in a stream that then breaks goes to the client once",
  async (code) => {
    const event = `data: ${JSON.stringify({ error: { message: "too big", code } })}\n\n`;
    answerWith((_, response) => begin(response).write(event, () => response.destroy()));
    expect((await complete({ stream: true })).body).toBe(event);
    expect(asked).toBe(1);
  },
);

test.each([undefined, "text/plain", "application/json"])("a stream of the type %s passes", async (type) => {
  const events = `${text("One", "stop")}data: [DONE]\n\n`;
  answerWith((_, response) =>
    response.writeHead(200, type === undefined ? {} : { "content-type": type }).end(events),
  );
  expect((await complete({ stream: true })).body).toBe(events);
  expect(asked).toBe(1);
});

test("a stream that breaks at max_tokens ends normally, with usage", async () => {
  answerWith((_, response) => begin(response).write(text("One ") + text("two"), () => response.destroy()));
  const { body } = await complete({ stream: true, max_tokens: 2, stream_options: { include_usage: true } });
  expect(body).toContain('"finish_reason":"length"');
  expect(body).toContain('"completion_tokens":2');
  expect(body).toMatch(/data: \[DONE\]\n\n$/);
  expect(asked).toBe(1);
});

test("if the only eligible engine is busy, its own answer is passed on", async () => {
  answerWith((_, response) => sendJson(response, { detail: "busy" }, 429, { "retry-after": "7" }));
  const [engine] = engines;
  const answer = await complete({ stator: { worker: new URL(engine!.url).host } });
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([429, "7"]);
});

test("a stream that passed through unread is not restarted when it breaks", async () => {
  answerWith((_, response) => {
    response.writeHead(200, { "content-type": "text/plain" });
    response.write(text("One "), () => response.destroy());
  });
  await expect(complete({ stream: true })).rejects.toThrow();
  expect(asked).toBe(1);
});
