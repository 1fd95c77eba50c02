import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { HumanMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { generateText, streamText } from "ai";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { ScriptedEngine, sendJson } from "../../cli/e2e/attach/scripted-engine.ts";
import { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { PNG } from "../../gateway/media/test-media.ts";

// Clients that send pictures, in all APIs, to an engine that knows only chats: all reach it as the same part.

const MODEL = "eyes";
const TEXT = "A cat.";
let engine: ScriptedEngine;
let stator: StatorProcess;
let url: string;
let web: ReturnType<typeof createServer>;
let picture: URL;
let asked: string[] = [];

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = (await json(request)) as { stream?: boolean };
  if (request.url !== "/v1/chat/completions") return sendJson(response, { detail: "Not Found" }, 404);
  asked.push(JSON.stringify(body));
  const common = { id: "chatcmpl-1", created: 1, model: MODEL };
  const usage = { prompt_tokens: 20, completion_tokens: 3, total_tokens: 23 };
  if (body.stream !== true) {
    const choices = [{ index: 0, message: { role: "assistant", content: TEXT }, finish_reason: "stop" }];
    return sendJson(response, { ...common, object: "chat.completion", choices, usage });
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const choice of [
    { delta: { role: "assistant", content: TEXT } },
    { delta: {}, finish_reason: "stop" },
  ])
    response.write(
      `data: ${JSON.stringify({ ...common, object: "chat.completion.chunk", choices: [{ index: 0, ...choice }] })}\n\n`,
    );
  response.write(
    `data: ${JSON.stringify({ ...common, object: "chat.completion.chunk", choices: [], usage })}\n\n`,
  );
  response.end("data: [DONE]\n\n");
}

beforeAll(async () => {
  engine = await ScriptedEngine.start(MODEL, answer);
  web = createServer((_, response) => void response.end(Buffer.from(PNG, "base64")));
  await new Promise<void>((done) => web.listen(0, "127.0.0.1", done));
  picture = new URL(`http://127.0.0.1:${(web.address() as AddressInfo).port}/cat.png`);
  stator = new StatorProcess([
    "attach",
    engine.url,
    "--port=0",
    "--config=none",
    "--media-domains=127.0.0.1",
  ]);
  [, url = ""] = await stator.printed(/Send requests to (http:\S+)\/v1:/);
});

beforeEach(() => {
  asked = [];
});

afterAll(async () => {
  expect(await stator.stop()).toBe(0);
  web.close();
  await engine[Symbol.asyncDispose]();
});

/** Everything that was asked has the picture itself, and nothing else of that kind. */
function expectPictures(count: number): void {
  expect(asked).toHaveLength(count);
  for (const body of asked) {
    expect(body).toContain(`"url":"data:image/png;base64,${PNG}"`);
    expect(body).not.toContain(picture.href);
  }
}

const providers = {
  "OpenAI's chats": () => createOpenAICompatible({ name: "stator", baseURL: `${url}/v1` })(MODEL),
  "OpenAI's Responses": () => createOpenAI({ baseURL: `${url}/v1`, apiKey: "none" }).responses(MODEL),
  "Anthropic's Messages": () => createAnthropic({ baseURL: `${url}/v1`, apiKey: "none" })(MODEL),
};

test.each(Object.entries(providers))("ai sends pictures with %s", async (_what, provider) => {
  for (const image of [Buffer.from(PNG, "base64"), PNG]) {
    const messages = [
      {
        role: "user" as const,
        content: [
          { type: "text" as const, text: "What is it?" },
          { type: "file" as const, mediaType: "image/png", data: image },
        ],
      },
    ];
    expect((await generateText({ model: provider(), messages })).text).toBe(TEXT);
    expect(await streamText({ model: provider(), messages }).text).toBe(TEXT);
  }
  expectPictures(4);
});

test("LangChain sends pictures", async () => {
  const model = new ChatOpenAI({ model: MODEL, apiKey: "none", configuration: { baseURL: `${url}/v1` } });
  for (const address of [`data:image/png;base64,${PNG}`, picture.href]) {
    const content = [
      { type: "text", text: "What is it?" },
      { type: "image_url", image_url: { url: address } },
    ];
    expect((await model.invoke([new HumanMessage({ content })])).content).toBe(TEXT);
  }
  expectPictures(2);
});
