import type { IncomingMessage, ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { askBothWays } from "../workers/both-ways.ts";
import { type OwnGateway, startOwnGateway } from "../workers/own-gateway.ts";
import { ScriptedEngine, sendJson } from "./scripted-engine.ts";

/** An engine that streams what a test gives it. */
let engine: ScriptedEngine;
let gateway: OwnGateway;
let client: OpenAI;
/** The deltas and the finish reason of the next answer. */
let deltas: object[] = [];
let finish = "stop";
/** As the engine sent it. */
let sent = "";
/** How the engine writes JSON. */
let stringify: (value: unknown) => string = JSON.stringify;

const message = () => ({
  role: "assistant",
  content: deltas.map((delta) => Reflect.get(delta, "content") ?? "").join(""),
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = (await json(request)) as Record<string, unknown>;
  const common = { id: "chatcmpl-1", created: 1, model: "tiny" };
  if (request.url !== "/v1/chat/completions") sendJson(response, {}, 404);
  else if (body.stream !== true) {
    const choices = [{ index: 0, message: message(), finish_reason: finish }];
    sent = stringify({ ...common, object: "chat.completion", choices });
    response.writeHead(200, { "content-type": "application/json" }).end(sent);
  } else {
    response.writeHead(200, { "content-type": "text/event-stream" });
    sent = "";
    const write = (text: string) => {
      sent += text;
      response.write(text);
    };
    const send = (delta: object, reason: string | null) =>
      write(
        `data: ${stringify({ ...common, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`,
      );
    send({ role: "assistant", content: "" }, null);
    for (const delta of deltas) send(delta, null);
    send({}, finish);
    write("data: [DONE]\n\n");
    response.end();
  }
}

beforeAll(async () => {
  engine = await ScriptedEngine.start("tiny", answer);
  const rescue = { toolParser: "auto", reasoningParser: "auto" };
  gateway = await startOwnGateway({}, { engines: [{ url: engine.url }], rescue });
  client = new OpenAI({ apiKey: "none", baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});

afterAll(() => engine[Symbol.asyncDispose]());

const weather = {
  type: "function" as const,
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const asked = { model: "tiny", messages: [{ role: "user" as const, content: "Hi" }], tools: [weather] };
const CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris < 2"}}\n</tool_call>';
const LEAKED = `<think>\nHm.\n</think>\n\nI will <b>look</b>.\n${CALL}`;

/** The text in pieces of this length. */
const inPieces = (text: string, length: number) =>
  (text.match(new RegExp(`.{1,${length}}`, "gsu")) ?? []).map((content) => ({ content }));

async function both(more: object = {}) {
  const { whole, streamed, reasoning } = await askBothWays(client, { ...asked, ...more });
  const said = [whole, streamed].map(({ choices: [choice] }, index) => ({
    finish: choice!.finish_reason,
    content: choice!.message.content,
    calls: choice!.message.tool_calls?.map((call) => Reflect.get(call, "function").arguments),
    reasoning: index === 0 ? (Reflect.get(choice!.message, "reasoning_content") ?? "") : reasoning,
  }));
  expect(said[1]).toEqual(said[0]);
  return said[0]!;
}

/** The body as a client gets it. */
async function raw(stream: boolean, more: object = {}): Promise<string> {
  return (await gateway.post("/v1/chat/completions", { ...asked, ...more, stream })).text();
}

describe("calls and reasoning that an engine leaves in the text", () => {
  test.each([1, 2, 3, 7, 20, 1000])("are rescued from pieces of %d characters", async (length) => {
    [deltas, finish] = [inPieces(LEAKED, length), "stop"];
    expect(await both()).toEqual({
      finish: "tool_calls",
      content: "I will <b>look</b>.",
      reasoning: "Hm.",
      calls: ['{"city": "Paris < 2"}'],
    });
  });

  test("are rescued from JSON that escapes their marks", async () => {
    stringify = (value) => JSON.stringify(value).replaceAll("<", "\\u003c");
    [deltas, finish] = [inPieces(LEAKED, 5), "stop"];
    expect(await both()).toMatchObject({ finish: "tool_calls", reasoning: "Hm." });
    stringify = JSON.stringify;
  });

  test.each([
    ["names no tool of the request", '<tool_call>{"name": "other", "arguments": {}}</tool_call>'],
    ["does not match its schema", '<tool_call>{"name": "get_weather", "arguments": {"city": 1}}</tool_call>'],
    ["lacks an argument", '<tool_call>{"name": "get_weather", "arguments": {}}</tool_call>'],
    ["breaks off", '<tool_call>{"name": "get_weather", "arguments": {"city": "Pa'],
  ])("stay text if a call %s", async (_, text) => {
    [deltas, finish] = [inPieces(`So: ${text}`, 4), "stop"];
    expect(await both()).toMatchObject({ finish: "stop", content: `So: ${text}`, calls: undefined });
  });

  test("are rescued for Messages too", async () => {
    [deltas, finish] = [inPieces(LEAKED, 4), "stop"];
    const anthropic = new Anthropic({ apiKey: "none", baseURL: gateway.url, maxRetries: 0 });
    const { content, stop_reason } = await anthropic.messages
      .stream({
        model: "tiny",
        max_tokens: 100,
        messages: [{ role: "user", content: "Hi" }],
        tools: [{ name: "get_weather", input_schema: { type: "object" } }],
      })
      .finalMessage();
    expect(stop_reason).toBe("tool_use");
    expect(content.map(({ type }) => type)).toEqual(["thinking", "text", "tool_use"]);
  });
});

describe("byte for byte pass", () => {
  test.each([
    ["text", inPieces("Just text, 1 > 2, {braces} and [brackets]. 日本語 😀\n\nEnd.", 12)],
    [
      "text with marks of other things",
      [{ content: "1 < 2, " }, { content: "<b>bold</b>" }, { content: "." }],
    ],
    [
      "calls that the engine has parsed",
      [
        { content: "I will look." },
        { tool_calls: [{ index: 0, id: "a", type: "function", function: { name: "f", arguments: "" } }] },
        { tool_calls: [{ index: 0, function: { arguments: '{"a": "<tool_call>"}' } }] },
      ],
    ],
    [
      "reasoning that the engine has parsed",
      [
        { reasoning_content: "Hm <think>." },
        { reasoning_content: "<tool_call>" },
        { content: "Yes <tool_call> no." },
      ],
    ],
  ])("streams of %s", async (_, given) => {
    [deltas, finish] = [given, "stop"];
    expect(await raw(true)).toBe(sent);
  });

  test.each(["Just text.", "a <tool_call> b", "<thinking>"])("whole answers: %s", async (content) => {
    [deltas, finish] = [[{ content }], "stop"];
    expect(await raw(false)).toBe(sent);
  });

  test("answers to requests without tools, but for reasoning", async () => {
    [deltas, finish] = [inPieces(CALL, 4), "stop"];
    expect(await raw(true, { tools: undefined })).toBe(sent);
    expect(await raw(true, { tool_choice: "none" })).toBe(sent);
  });
});
