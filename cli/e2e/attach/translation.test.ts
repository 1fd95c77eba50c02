import type { IncomingMessage, ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { PNG } from "../../../gateway/media/test-media.ts";
import { type OwnGateway, startOwnGateway } from "../workers/own-gateway.ts";
import { ScriptedEngine, sendJson } from "./scripted-engine.ts";

/** An engine that knows nothing but chats. */
let engine: ScriptedEngine;
let gateway: OwnGateway;
let anthropic: Anthropic;
let openai: OpenAI;
/** What it was asked. */
const asked: Record<string, unknown>[] = [];
const paths: string[] = [];
let refusal: { status: number; body: object } | undefined;
/** The line ends and comments of its event streams. */
let dialect: (data: string) => string;

const TEXT = '{"look": 1}';
const CALL = {
  id: "call_1",
  type: "function",
  function: { name: "get_weather", arguments: '{"city":"Paris"}' },
};
const MESSAGE = { role: "assistant", content: TEXT, reasoning_content: "Hm.", tool_calls: [CALL] };
const USAGE = {
  prompt_tokens: 20,
  completion_tokens: 9,
  total_tokens: 29,
  prompt_tokens_details: { cached_tokens: 16 },
  completion_tokens_details: { reasoning_tokens: 3 },
};
const DELTAS = [
  { role: "assistant", content: "" },
  { reasoning_content: "H" },
  { reasoning_content: "m." },
  { content: TEXT.slice(0, 4) },
  { content: TEXT.slice(4), tool_calls: null },
  {
    tool_calls: [
      { index: 0, id: "call_1", type: "function", function: { name: "get_weather", arguments: "" } },
    ],
  },
  { tool_calls: [{ index: 0, function: { arguments: '{"city":' } }] },
  { tool_calls: [{ index: 0, function: { name: null, arguments: '"Paris"}' } }] },
];

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  paths.push(request.url ?? "");
  const body = (await json(request)) as Record<string, unknown>;
  if (request.url !== "/v1/chat/completions") {
    sendJson(response, { detail: "Not Found" }, 404);
    return;
  }
  asked.push(body);
  if (refusal !== undefined) {
    sendJson(response, refusal.body, refusal.status);
    return;
  }
  const common = { id: "chatcmpl-1", created: 1, model: "tiny" };
  if (body.stream !== true) {
    const choices = [{ index: 0, message: MESSAGE, finish_reason: "tool_calls" }];
    sendJson(response, { ...common, object: "chat.completion", choices, usage: USAGE });
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (fields: object) =>
    response.write(dialect(JSON.stringify({ ...common, object: "chat.completion.chunk", ...fields })));
  for (const delta of DELTAS) send({ choices: [{ index: 0, delta, finish_reason: null }] });
  send({ choices: [{ index: 0, delta: {}, finish_reason: "tool_calls" }] });
  send({ choices: [], usage: USAGE });
  response.end(dialect("[DONE]"));
}

beforeAll(async () => {
  engine = await ScriptedEngine.start("tiny", answer);
  gateway = await startOwnGateway({}, { engines: [{ url: engine.url }] });
  anthropic = new Anthropic({ apiKey: "none", baseURL: gateway.url, maxRetries: 0 });
  openai = new OpenAI({ apiKey: "none", baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});

beforeEach(() => {
  asked.length = 0;
  refusal = undefined;
  dialect = (data) => `data: ${data}\n\n`;
});

afterAll(() => engine[Symbol.asyncDispose]());

const MESSAGES: Anthropic.MessageCreateParamsNonStreaming = {
  model: "tiny",
  max_tokens: 100,
  system: "Be brief.",
  messages: [
    { role: "user", content: "Paris?" },
    {
      role: "assistant",
      content: [{ type: "tool_use", id: "toolu_1", name: "get_weather", input: { city: "P" } }],
    },
    {
      role: "user",
      content: [
        { type: "tool_result", tool_use_id: "toolu_1", content: "sunny" },
        {
          type: "document",
          title: "Forecast",
          source: { type: "text", media_type: "text/plain", data: "Rain." },
        },
        { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } },
        { type: "text", text: "Well?" },
      ],
    },
  ],
  stop_sequences: ["END"],
  tools: [{ name: "get_weather", input_schema: { type: "object" } }],
  tool_choice: { type: "any" },
  thinking: { type: "enabled", budget_tokens: 1024 },
};

describe("Messages for an engine that has only chats", () => {
  test.each([
    ["a stream", () => anthropic.messages.stream(MESSAGES).finalMessage()],
    ["a whole answer", () => anthropic.messages.create(MESSAGES)],
  ])("are translated both ways, as %s", async (_, ask) => {
    const { content, stop_reason, usage, model } = await ask();
    expect({ content, stop_reason, model }).toEqual({
      model: "tiny",
      stop_reason: "tool_use",
      content: [
        expect.objectContaining({ type: "thinking", thinking: "Hm." }),
        expect.objectContaining({ type: "text", text: TEXT }),
        expect.objectContaining({ type: "tool_use", name: "get_weather", input: { city: "Paris" } }),
      ],
    });
    expect(usage).toMatchObject({ input_tokens: 4, cache_read_input_tokens: 16, output_tokens: 9 });
    expect(asked).toMatchObject([
      {
        model: "tiny",
        max_tokens: 100,
        stop: ["END"],
        tool_choice: "required",
        tools: [{ type: "function", function: { name: "get_weather", parameters: { type: "object" } } }],
        chat_template_kwargs: { enable_thinking: true },
        messages: [
          { role: "system", content: "Be brief." },
          { role: "user", content: "Paris?" },
          { role: "assistant", tool_calls: [{ id: "toolu_1", function: { arguments: '{"city":"P"}' } }] },
          { role: "tool", tool_call_id: "toolu_1", content: "sunny" },
          {
            role: "user",
            content: [
              { type: "text", text: "Forecast\nRain." },
              { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } },
              { type: "text", text: "Well?" },
            ],
          },
        ],
      },
    ]);
  });

  test.each([
    ["CRLF", (data: string) => `data: ${data}\r\n\r\n`],
    ["comments, and no blank after the colon", (data: string) => `: ping\n\ndata:${data}\n\n`],
    ["events with names and ids", (data: string) => `id: 1\nevent: message\ndata: ${data}\n\n`],
  ])("are read from event streams with %s", async (_, write) => {
    dialect = write;
    const { content } = await anthropic.messages.stream(MESSAGES).finalMessage();
    expect(content).toHaveLength(3);
  });

  test("get the engine's errors in their own shape", async () => {
    refusal = { status: 400, body: { error: { message: "Too many tokens.", type: "BadRequestError" } } };
    await expect(anthropic.messages.create(MESSAGES)).rejects.toMatchObject({
      status: 400,
      error: { type: "error", error: { type: "invalid_request_error", message: "Too many tokens." } },
    });
  });
});

describe("Responses for an engine that has only chats", () => {
  const RESPONSE: OpenAI.Responses.ResponseCreateParamsNonStreaming = {
    model: "tiny",
    instructions: "Be brief.",
    input: "Paris?",
    tools: [{ type: "function", name: "get_weather", parameters: { type: "object" }, strict: true }],
    text: { format: { type: "json_schema", name: "answer", schema: { type: "object" }, strict: true } },
    max_output_tokens: 100,
  };

  test.each([
    ["a stream", () => openai.responses.stream(RESPONSE as never).finalResponse()],
    ["a whole answer", () => openai.responses.create(RESPONSE)],
  ])("are translated both ways and kept, as %s", async (_, ask) => {
    const { id, output, usage, status } = await ask();
    expect(status).toBe("completed");
    expect(output).toMatchObject([
      { type: "reasoning", content: [{ text: "Hm." }] },
      { type: "message", content: [{ text: TEXT }] },
      { type: "function_call", call_id: "call_1", name: "get_weather", arguments: '{"city":"Paris"}' },
    ]);
    expect(usage).toMatchObject({
      input_tokens: 20,
      input_tokens_details: { cached_tokens: 16 },
      output_tokens: 9,
      output_tokens_details: { reasoning_tokens: 3 },
    });
    expect(asked).toMatchObject([
      {
        max_tokens: 100,
        response_format: { type: "json_schema", json_schema: { name: "answer", schema: { type: "object" } } },
        tools: [{ type: "function", function: { name: "get_weather", strict: true } }],
        messages: [
          { role: "system", content: "Be brief." },
          { role: "user", content: "Paris?" },
        ],
      },
    ]);
    expect(await openai.responses.retrieve(id)).toMatchObject({ id, status: "completed" });
    const next = { type: "function_call_output" as const, call_id: "call_1", output: "sunny" };
    await openai.responses.create({ model: "tiny", input: [next], previous_response_id: id });
    expect(asked[1]).toMatchObject({
      messages: [
        { role: "user", content: "Paris?" },
        { role: "assistant", content: TEXT, tool_calls: [{ id: "call_1" }] },
        { role: "tool", tool_call_id: "call_1", content: "sunny" },
      ],
    });
  });
});

test("Images of Responses and of conversations reach such an engine", async () => {
  const image = { type: "input_image" as const, image_url: `data:image/png;base64,${PNG}` };
  const content = [
    { type: "input_text" as const, text: "What is it?" },
    { ...image, detail: "low" as const },
  ];
  const items = [{ type: "message" as const, role: "user" as const, content }];
  const { id: conversation } = await openai.conversations.create({ items });
  const again = [{ role: "user" as const, content: [{ ...image, detail: "auto" as const }] }];
  await openai.responses.create({ model: "tiny", conversation, input: again });
  const url = `data:image/png;base64,${PNG}`;
  expect(asked[0]).toMatchObject({
    messages: [
      {
        content: [
          { type: "text", text: "What is it?" },
          { type: "image_url", image_url: { url, detail: "low" } },
        ],
      },
      { content: [{ type: "image_url", image_url: { url, detail: "auto" } }] },
    ],
  });
});

test("Images in a function's output reach such an engine in a message after it, where chats can have them", async () => {
  const image_url = `data:image/png;base64,${PNG}`;
  await openai.responses.create({
    model: "tiny",
    input: [
      { role: "user", content: "Draw." },
      { type: "function_call", call_id: "a", name: "draw", arguments: "{}" },
      {
        type: "function_call_output",
        call_id: "a",
        output: [
          { type: "input_text", text: "Here:" },
          { type: "input_image", image_url, detail: "auto" },
        ],
      },
    ],
  });
  expect(asked[0]).toMatchObject({
    messages: [
      { role: "user", content: "Draw." },
      { role: "assistant", tool_calls: [{ id: "a" }] },
      { role: "tool", tool_call_id: "a", content: "Here:" },
      { role: "user", content: [{ type: "image_url", image_url: { url: image_url, detail: "auto" } }] },
    ],
  });
});

test("Responses in the background are made by such an engine, too", async () => {
  const { id, status } = await openai.responses.create({ model: "tiny", input: "Paris?", background: true });
  expect(status).toBe("in_progress");
  await expect.poll(async () => (await openai.responses.retrieve(id)).status).toBe("completed");
  expect((await openai.responses.retrieve(id)).output).toHaveLength(3);
  refusal = { status: 400, body: { error: { message: "Too many tokens." } } };
  const refused = await openai.responses.create({ model: "tiny", input: "Paris?", background: true });
  await expect.poll(async () => (await openai.responses.retrieve(refused.id)).status).toBe("failed");
  expect((await openai.responses.retrieve(refused.id)).error?.message).toBe("Too many tokens.");
});

test("An engine is asked once for each of the APIs", () => {
  expect(paths.filter((path) => path === "/v1/messages")).toHaveLength(1);
  expect(paths.filter((path) => path === "/v1/responses")).toHaveLength(1);
});
