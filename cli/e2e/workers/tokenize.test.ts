import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLogger } from "#runtime";
import { defaultModelFolder, fetchModel } from "../../../cli/index.ts";
import { answerWhole, TestEngine } from "../../../gateway/adapters/node/test-gateway.ts";
import { openEcho } from "../../../workers/echo/engine.ts";
import type { Engine } from "../../../workers/engine.ts";
import { openLlama } from "../../../workers/llama/open.ts";
import { metric } from "../metrics.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";

/** A real model's own tokenizer and chat template, behind a gateway. */
let llama: Engine;
let gateway: OwnGateway;
let single: OwnGateway;

beforeAll(async () => {
  const { path } = await fetchModel(undefined, { folder: defaultModelFolder() });
  const log = createLogger({ name: "test", level: "error" });
  llama = await openLlama({ modelPath: path, modelName: "smol", threads: 1, contextLength: 512, log });
  gateway = await startOwnGateway({ llama, echo: openEcho() });
  single = await startOwnGateway({ echo: openEcho() });
});

const model = "smol";

async function post(path: string, body: object, { url } = gateway) {
  const response = await fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}
const tokenize = async (body: object) => (await post("/v1/tokenize", { model, ...body })).body;
const detokenize = async (tokens: readonly number[]) =>
  (await post("/v1/detokenize", { model, tokens })).body.prompt;
const refusal = async (body: object, path = "/v1/tokenize") => {
  const answer = await post(path, { model, ...body });
  expect(answer.status).toBe(400);
  return answer.body.error;
};

describe("a text", () => {
  test.each(["/v1/tokenize", "/tokenize"])("gets the model's own tokens at %s", async (path) => {
    const prompt = "Grüße aus 東京 🦄!<|im_end|>";
    const expected = Array.from(llama.tokenize!(prompt) as Uint32Array);
    const { status, headers, body } = await post(path, { model, prompt });
    expect(status).toBe(200);
    expect(headers.get("x-request-id")).toBeTruthy();
    expect(body).toEqual({ count: expected.length, max_model_len: 512, tokens: expected, token_strs: null });
  });

  test.each(["/v1/detokenize", "/detokenize"])(
    "is the same again at %s, with control tokens",
    async (path) => {
      const prompt = "Grüße aus 東京 🦄!<|im_end|>\n";
      const { tokens } = await tokenize({ prompt });
      expect((await post(path, { model, tokens })).body).toEqual({ prompt });
    },
  );

  test("shows its tokens' texts on request", async () => {
    const answer = await tokenize({ prompt: "The cat <|im_end|>", return_token_strs: true });
    expect(answer.token_strs).toEqual(["The", " cat", " ", "<|im_end|>"]);
  });

  test("may be longer than the context", async () => {
    const { count, max_model_len } = await tokenize({ prompt: "word ".repeat(2000) });
    expect([count > 1999, max_model_len]).toEqual([true, 512]);
  });

  test("may be empty", async () => {
    expect(await tokenize({ prompt: "" })).toMatchObject({ count: 0, tokens: [] });
    expect(await detokenize([])).toBe("");
  });
});

describe("a conversation", () => {
  const messages = [
    { role: "system", content: "Be brief." },
    { role: "user", content: "What is the capital of France?" },
  ];
  const turns =
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is the capital of France?<|im_end|>\n";

  test("has as many tokens as a chat's prompt", async () => {
    const { count, tokens } = await tokenize({ messages });
    const chat = await post("/v1/chat/completions", { model, messages, max_tokens: 1 });
    expect(chat.body.usage.prompt_tokens).toBe(count);
    expect(await detokenize(tokens)).toBe(`${turns}<|im_start|>assistant\n`);
  });

  test("with tools, too", async () => {
    const name = "look_up_capital";
    const tools = [{ type: "function", function: { name, parameters: { type: "object", properties: {} } } }];
    const { count, tokens } = await tokenize({ messages, tools });
    const chat = await post("/v1/chat/completions", { model, messages, tools, max_tokens: 1 });
    expect(chat.body.usage.prompt_tokens).toBe(count);
    expect(await detokenize(tokens)).toContain(name);
  });

  test("ends as asked", async () => {
    const whole = await tokenize({ messages, add_generation_prompt: false });
    expect(await detokenize(whole.tokens)).toBe(turns);
    const answer = [...messages, { role: "assistant", content: "It is Par" }];
    const open = await tokenize({ messages: answer, continue_final_message: true });
    expect(await detokenize(open.tokens)).toBe(`${turns}<|im_start|>assistant\nIt is Par`);
  });
});

test("the beginning-of-sequence token is added on request only if the model has one", async () => {
  const plain = openEcho({ modelName: "begins" });
  const card = { ...plain.card, addBos: true, bosTokenId: 256 };
  const begins = await startOwnGateway({ begins: { ...plain, card } });
  const of = async (more: object) =>
    (await post("/v1/tokenize", { model: "begins", prompt: "ab", ...more }, begins)).body.tokens;
  expect(await of({})).toEqual([256, 97, 98]);
  expect(await of({ add_special_tokens: true })).toEqual([256, 97, 98]);
  expect(await of({ add_special_tokens: false })).toEqual([97, 98]);
});

test("the model may be left out if there is only one, or be named in the query", async () => {
  expect((await post("/tokenize", { prompt: "ab" }, single)).body.tokens).toEqual([97, 98]);
  expect((await post("/detokenize", { tokens: [97, 98] }, single)).body).toEqual({ prompt: "ab" });
  expect((await post("/v1/tokenize?model=echo", { prompt: "ab" })).body.tokens).toEqual([97, 98]);
  const several = await post("/v1/tokenize", { prompt: "ab" });
  expect(several).toMatchObject({ status: 400, body: { error: { param: "model" } } });
  expect(several.body.error.message).toMatch(/several: 'smol', 'echo'|several: 'echo', 'smol'/);
  expect((await post("/v1/tokenize", { model: "smoll", prompt: "ab" })).status).toBe(404);
});

test.each<[object, string, string]>([
  [{}, "prompt", "'messages', a conversation"],
  [{ prompt: "a", messages: [{ role: "user", content: "b" }] }, "prompt", "not both"],
  [{ prompt: ["a"] }, "prompt", "expected a string"],
  [{ prompt: "a", add_special_tokens: "no" }, "add_special_tokens", "expected a boolean"],
  [{ messages: [{ role: "user" }] }, "messages[0].content", "missing"],
  [{ messages: [{ role: "robot", content: "b" }] }, "messages[0].role", "'user'"],
  [{ messages: [{ role: "user", content: [{ type: "image_url" }] }] }, "messages[0].content[0]", "'text'"],
  [{ messages: [{ role: "user", content: "b" }], chat_template: "{{ x }}" }, "chat_template", "own template"],
  [
    { messages: [{ role: "user", content: "b" }], add_generation_prompt: true, continue_final_message: true },
    "continue_final_message",
    "exclude each other",
  ],
  [{ prompt: "word ".repeat(100_000) }, "prompt", "Shorten"],
])("%j is refused", async (body, param, words) => {
  const error = await refusal(body);
  expect(error).toMatchObject({ param, type: "invalid_request_error" });
  expect(error.message).toContain(words);
});

test.each<[object, string]>([
  [{}, "tokens"],
  [{ tokens: "a" }, "tokens"],
  [{ tokens: [1, -1] }, "tokens[1]"],
  [{ tokens: [1, 49_152] }, "tokens[1]"],
])("detokenizing %j is refused", async (body, param) => {
  expect(await refusal(body, "/v1/detokenize")).toMatchObject({ param });
});

test("requests are counted, and only POST is a route", async () => {
  const labels = { endpoint: "tokenize", model: "echo", status: "200" };
  const before = await metric(single.url, "stator_requests_total", labels);
  await post("/tokenize", { prompt: "ab" }, single);
  expect(await metric(single.url, "stator_requests_total", labels)).toBe(before + 1);
  const wrong = await fetch(`${single.url}/tokenize`);
  expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST"]);
});

describe("attached engines", () => {
  let engine: TestEngine;
  afterAll(() => engine.close());

  test("get such requests at the same path", async () => {
    const asked: (string | undefined)[] = [];
    engine = await TestEngine.start(["tiny"], (request, response) => {
      if (request.method === "POST") asked.push(request.url);
      answerWhole(request, response);
    });
    const attached = await startOwnGateway({}, { engines: [{ url: engine.url, name: "engine" }] });
    const paths = ["/v1/tokenize", "/tokenize?model=tiny", "/detokenize"];
    for (const path of paths) expect((await post(path, { any: "body" }, attached)).status).toBe(200);
    expect(asked).toEqual(paths);
  });
});
