import { connect } from "node:net";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stall } from "../../scripts/testing/stall.ts";
import { openEcho } from "../../workers/echo/engine.ts";
import { metric } from "./metrics.ts";
import { type StatorProcess, startUp } from "./stator-process.ts";
import { startOwnGateway } from "./workers/own-gateway.ts";

/** Every kind of bad request gets an error in OpenAI's shape, and breaks nothing. */
let stator: StatorProcess;
let url: string;

beforeAll(async () => {
  stator = startUp("--engine=echo", "--workers=1", "--context-length=512", "--body-limit=310000");
  url = await stator.url();
});

afterAll(async () => {
  expect(await stator.stop()).toBe(0);
});

const messages = [{ role: "user", content: "Hello" }];

interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string | null };
}

async function post(
  path: string,
  body: unknown,
  headers: Record<string, string> = { "content-type": "application/json" },
) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(url + path, { method: "POST", headers, body: text });
  return { response, body: (await response.json()) as ErrorBody };
}

/** Checks an error's complete shape, content type and request id. */
function expectError(
  answer: { response: Response; body: ErrorBody },
  status: number,
  param: string | null,
  code: string,
) {
  expect(answer.body).toEqual({
    error: { message: expect.any(String), type: expect.any(String), param, code },
  });
  expect(answer.response.status).toBe(status);
  expect(answer.response.headers.get("content-type")).toContain("application/json");
  expect(answer.response.headers.get("x-request-id")).toBeTruthy();
}

const chat = (fields: object) => post("/v1/chat/completions", { model: "echo", messages, ...fields });
const complete = (fields: object) => post("/v1/completions", { model: "echo", prompt: "Hello", ...fields });

test.each([
  [600, "context_length_exceeded", "has 600 messages"],
  [10_001, "array_above_max_length", "at most 10000"],
])("a conversation of %i messages is refused before it is rendered", async (count, code, words) => {
  const answer = await chat({
    messages: Array.from({ length: count }, () => ({ role: "user", content: "" })),
  });
  expectError(answer, 400, "messages", code);
  expect(answer.body.error.message).toContain(words);
});

describe("a parameter", () => {
  test.each([
    [{ messages: undefined }, "messages", "missing_required_parameter", "'messages'"],
    [{ model: undefined }, "model", "missing_required_parameter", "'model'"],
    [{ model: 3 }, "model", "invalid_type", "expected a string, but got a number"],
    [{ messages: [] }, "messages", "invalid_value", "at least 1 item"],
    [{ messages: [...messages, { role: "user" }] }, "messages[1].content", "invalid_value", "missing"],
    [{ messages: [{ role: "robot", content: "x" }] }, "messages[0].role", "invalid_value", "'user'"],
    [
      { messages: [...messages, { role: "user", content: 4 }] },
      "messages[1].content",
      "invalid_type",
      "a number",
    ],
    [
      { messages: [{ role: "user", content: [{ type: "text", text: 5 }] }] },
      "messages[0].content[0].text",
      "invalid_type",
      "a string",
    ],
    [{ temperature: "hot" }, "temperature", "invalid_type", "expected a number, but got a string"],
    [{ temperature: 2.1 }, "temperature", "invalid_value", "at most 2"],
    [{ top_p: 0 }, "top_p", "invalid_value", "more than 0"],
    [{ max_tokens: 1.5 }, "max_tokens", "invalid_type", "an integer"],
    [{ n: 0 }, "n", "invalid_value", "at least 1"],
    [{ stop: Array.from({ length: 65 }, String) }, "stop", "invalid_value", "at most 64 items"],
    [{ frequency_penalty: -3 }, "frequency_penalty", "invalid_value", "at least -2"],
    [{ stream_options: { include_usage: true } }, "stream_options", "invalid_value", "'stream'"],
    [{ top_logprobs: 2 }, "top_logprobs", "invalid_value", "'logprobs'"],
    [{ logprobs: true }, "logprobs", "unsupported_parameter", "does not support logprobs"],
    [{ logit_bias: { 5: 1 } }, "logit_bias", "unsupported_parameter", "does not support logit_bias"],
    [{ logit_bias: { five: 1 } }, "logit_bias.five", "invalid_value", "token ids"],
    [{ tools: [{ type: "web_search" }] }, "tools[0].type", "unsupported_parameter", "not supported"],
    [
      { response_format: { type: "json_object" } },
      "response_format",
      "unsupported_parameter",
      "cannot keep to a grammar",
    ],
    [{ guided_choice: ["a"] }, "guided_choice", "unsupported_parameter", "does not support 'guided_choice'"],
    [{ response_format: { type: "xml" } }, "response_format.type", "invalid_value", "json_schema"],
    [{ response_format: { type: "json_schema" } }, "response_format.json_schema", "invalid_value", "missing"],
    [
      { response_format: { type: "json_object" }, structured_outputs: { regex: "a" } },
      "structured_outputs.regex",
      "invalid_value",
      "cannot be combined",
    ],
    [
      { structured_outputs: { choise: ["a"] } },
      "structured_outputs.choise",
      "unknown_parameter",
      "did you mean 'choice'",
    ],
  ])("%j is refused at %s", async (fields, param, code, part) => {
    const answer = await chat(fields);
    expectError(answer, 400, param, code as string);
    expect(answer.body.error.message).toContain(part);
    expect(answer.body.error.type).toBe("invalid_request_error");
  });

  test.each([
    [{ prompt: undefined }, "prompt", "missing_required_parameter"],
    [{ prompt: [1, "a"] }, "prompt[1]", "invalid_type"],
    [{ prompt: [[1, -1]] }, "prompt[0][1]", "invalid_value"],
    [{ prompt: [1, 100_000] }, "prompt[1]", "invalid_value"],
    [{ prompt: [] }, "prompt", "invalid_value"],
    [{ prompt: "" }, "prompt", "invalid_value"],
    [{ prompt: Array(300).fill("a") }, "prompt", "invalid_value"],
    [{ prompt: [1.5] }, "prompt[0]", "invalid_type"],
    [{ best_of: 3 }, "best_of", "unsupported_parameter"],
    [{ max_tokens: 0 }, "max_tokens", "invalid_value"],
    [{ prompt: Array(100).fill("a"), n: 3 }, "n", "invalid_value"],
  ])("%j is refused at %s in completions", async (fields, param, code) => {
    expectError(await complete(fields), 400, param, code as string);
  });

  test("null means absent, and unknown parameters are ignored", async () => {
    const { response } = await chat({
      temperature: null,
      stop: null,
      n: null,
      seed: null,
      max_tokens: 4,
      invented: true,
      modalities: ["text"],
    });
    expect(response.status).toBe(200);
  });
});

describe("a request", () => {
  test("that is not JSON gets the position of the syntax error", async () => {
    const answer = await post("/v1/chat/completions", '{"model": "echo",\n  oops}');
    expectError(answer, 400, null, "invalid_json");
    expect(answer.body.error.message).toContain("line 2, column 3");
    expectError(await post("/v1/chat/completions", ""), 400, null, "invalid_json");
    expectError(await post("/v1/chat/completions", "[1]"), 400, null, "invalid_type");
  });

  test("for an unknown model gets the nearest name", async () => {
    const answer = await chat({ model: "ecco" });
    expectError(answer, 404, "model", "model_not_found");
    expect(answer.body.error.message).toContain("Did you mean 'echo'?");
    const response = await fetch(`${url}/v1/models/ecco`);
    expect(response.status).toBe(404);
  });

  test("with a prompt longer than the context gets both lengths", async () => {
    const answer = await chat({ messages: [{ role: "user", content: "x".repeat(600) }] });
    expectError(answer, 400, "messages", "context_length_exceeded");
    expect(answer.body.error.message).toMatch(/context of 512 tokens.*(has|at least) \d+/);
    expectError(await complete({ prompt: Array(512).fill(65) }), 400, "prompt", "context_length_exceeded");
    const fits = await complete({ prompt: Array(511).fill(65) });
    expect(fits.response.status).toBe(200);
  });

  test("whose body is too large is refused before it is read, with and without a declared length", async () => {
    const large = { messages: [{ role: "user", content: "x".repeat(400_000) }] };
    expectError(await chat(large), 413, null, "body_too_large");
    const body = new Blob([JSON.stringify(large)]).stream();
    const init = { method: "POST", body, duplex: "half", headers: { "content-type": "application/json" } };
    const response = await fetch(`${url}/v1/chat/completions`, init);
    expect(response.status).toBe(413);
  });

  test.each(["text/plain", "application/x-www-form-urlencoded", ""])(
    "of type %j is refused",
    async (type) => {
      const answer = await post(
        "/v1/completions",
        { model: "echo", prompt: "x" },
        type ? { "content-type": type } : { "content-type": "" },
      );
      expectError(answer, 415, null, "unsupported_content_type");
    },
  );

  test("that is compressed is refused", async () => {
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    const answer = await post("/v1/completions", "x", headers);
    expectError(answer, 415, null, "unsupported_content_encoding");
  });

  test("is counted when refused, whatever is wrong with it", async () => {
    const labels = { endpoint: "completions", status: "400" };
    const before = await metric(url, "stator_requests_total", labels);
    await post("/v1/completions", "oops");
    expect(await metric(url, "stator_requests_total", labels)).toBe(before + 1);
  });

  test("with a charset in its content type is accepted", async () => {
    const headers = { "content-type": "Application/JSON; charset=utf-8" };
    const { response } = await post("/v1/completions", { model: "echo", prompt: "x" }, headers);
    expect(response.status).toBe(200);
  });

  test("with the wrong method gets the valid ones", async () => {
    for (const [method, path, allow] of [
      ["GET", "/v1/chat/completions", "POST"],
      ["DELETE", "/v1/models", "GET, HEAD"],
      ["POST", "/v1/models/echo", "GET, HEAD"],
      ["PUT", "/health", "GET, HEAD"],
    ] as const) {
      const response = await fetch(url + path, { method });
      expectError({ response, body: (await response.json()) as ErrorBody }, 405, null, "method_not_allowed");
      expect(response.headers.get("allow")).toBe(allow);
    }
  });

  test("for an unknown route is refused", async () => {
    expectError(await post("/v1/chat/completion", {}), 404, null, "unknown_route");
    expect((await fetch(`${url}/v2`)).status).toBe(404);
  });

  test("that takes too long ends with 504, or with an error event if the stream has begun", async () => {
    const long = { max_tokens: 500, messages: [{ role: "user", content: "again " }] };
    const echo = openEcho({ modelName: "echo", delayMs: 50 });
    const slow = await startOwnGateway({ echo }, { timeoutMs: 300 * stall() });
    const answer = await slow.post("/v1/chat/completions", { model: "echo", ...long });
    expectError({ response: answer, body: (await answer.json()) as ErrorBody }, 504, null, "request_timeout");
    const openai = new OpenAI({ baseURL: `${slow.url}/v1`, apiKey: "none", maxRetries: 0 });
    const stream = await openai.completions.create({
      model: "echo",
      prompt: "again ",
      max_tokens: 500,
      stream: true,
    });
    let text = "";
    const read = async () => {
      for await (const chunk of stream) text += chunk.choices[0]!.text;
    };
    await expect(read()).rejects.toMatchObject({ error: { code: "request_timeout", type: "timeout_error" } });
    expect(text).toMatch(/^a/);
  });

  test("that is not HTTP gets an answer in the same shape", async () => {
    const { hostname, port } = new URL(url);
    for (const request of [
      "NONSENSE",
      "GET http://[ HTTP/1.1\r\nHost: a",
      "GET /live HTTP/1.1\r\nHost: a b@c\r\nConnection: close",
    ]) {
      const socket = connect(Number(port), hostname);
      socket.end(`${request}\r\n\r\n`);
      let text = "";
      for await (const chunk of socket) text += chunk;
      expect(text).toMatch(/^HTTP\/1\.1 400 /);
      expect(text).toContain('"code":"bad_http"');
    }
  });
});

describe("hostile input", () => {
  test.each([
    ["deep arrays", "[".repeat(90_000) + "]".repeat(90_000)],
    ["deep objects", `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`],
    [
      "deep metadata",
      `{"model":"echo","prompt":"x","metadata":{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}}`,
    ],
    ["a number past all limits", '{"model":"echo","prompt":"x","max_tokens":1e999}'],
    ["__proto__", '{"model":"echo","prompt":"x","__proto__":{"max_tokens":"x"}}'],
    ["lone surrogates", '{"model":"echo","prompt":"\\ud800 \\udc00"}'],
    ["control characters", JSON.stringify({ model: "echo", prompt: "\0\u0001\u007f\u2028\ufeff" })],
    [
      "a model name of a megabyte would be too large; this one is 100 kB",
      JSON.stringify({ model: "m".repeat(100_000), prompt: "x" }),
    ],
  ])("%s: an answer or an error, and the gateway lives", async (_, body) => {
    const { response } = await post("/v1/completions", body);
    expect([200, 400, 404, 413]).toContain(response.status);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  test("a header with line breaks or a very long request id is not echoed", async () => {
    const response = await fetch(`${url}/live`, { headers: { "x-request-id": "x".repeat(500) } });
    expect(response.headers.get("x-request-id") ?? "").not.toContain("xxx");
  });
});

test("no worker ready: 503 with retry-after, and health says so", async () => {
  const { StatorProcess } = await import("./stator-process.ts");
  const gateway = new StatorProcess([
    "gateway",
    "--port=0",
    "--config=none",
    `--discovery=memory:${crypto.randomUUID()}`,
  ]);
  const [, at] = await gateway.printed(/listening url=(\S+)/);
  const response = await fetch(`${at}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "any", prompt: "x" }),
  });
  expectError({ response, body: (await response.json()) as ErrorBody }, 503, null, "no_worker_ready");
  expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await fetch(`${at}/health`)).status).toBe(503);
  expect((await fetch(`${at}/live`)).status).toBe(200);
  expect(await gateway.stop()).toBe(0);
});
