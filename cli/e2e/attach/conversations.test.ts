import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { accessWith } from "../workers/keys-of.ts";
import { startOwnGateway } from "../workers/own-gateway.ts";
import { ScriptedEngine, sendJson } from "./scripted-engine.ts";

const THEIRS = "conv_0123456789abcdef0123456789abcdef";

describe.each([
  ["that only has chats", ["/v1/chat/completions"]],
  [
    "with Responses and Conversations of its own",
    ["/v1/chat/completions", "/v1/responses", "/v1/conversations"],
  ],
])("conversations in front of an engine %s", (_, served) => {
  let engine: ScriptedEngine;
  let openai: OpenAI;
  /** What it was asked for, by path. */
  const asked: [string, Record<string, never>][] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "";
    const body = JSON.parse((await text(request)) || "{}");
    if (!served.includes(path)) {
      sendJson(response, { detail: "Not Found" }, 404);
      return;
    }
    if (body.model !== undefined || path === "/v1/conversations") asked.push([path, body]);
    const common = { id: "chatcmpl-1", created: 1, model: "tiny" };
    const message = { role: "assistant", content: "Yes." };
    const whole = {
      ...common,
      object: "chat.completion",
      choices: [{ index: 0, message, finish_reason: "stop" }],
    };
    if (path === "/v1/conversations") sendJson(response, { id: THEIRS, object: "conversation" });
    else if (path === "/v1/responses")
      sendJson(response, { id: "resp_theirs", object: "response", output: [] });
    else if (body.stream !== true) sendJson(response, whole);
    else {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const chunk = { ...common, choices: [{ index: 0, delta: message, finish_reason: "stop" }] };
      response.end(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`);
    }
  }

  const start = async (translate?: "never") => {
    const { url } = await startOwnGateway({}, { engines: [{ url: engine.url }], translate });
    return new OpenAI({ apiKey: "none", baseURL: `${url}/v1`, maxRetries: 0 });
  };

  beforeAll(async () => {
    engine = await ScriptedEngine.start("tiny", answer);
    openai = await start();
  });

  beforeEach(() => {
    asked.length = 0;
  });

  afterAll(() => engine[Symbol.asyncDispose]());

  test("are kept by the gateway, and come before the input of chats", async () => {
    const { id } = await openai.conversations.create({ metadata: { topic: "cities" } });
    const ask = { model: "tiny", conversation: id };
    const first = await openai.responses.create({ ...ask, input: "Paris?" });
    expect(first).toMatchObject({ conversation: { id }, output_text: "Yes." });
    const stream = await openai.responses.create({ ...ask, input: "Oslo?", stream: true });
    for await (const _ of stream);
    const { id: responseId } = await openai.responses.create({ ...ask, input: "Rome?", background: true });
    await expect.poll(async () => (await openai.responses.retrieve(responseId)).status).toBe("completed");
    const [user, assistant] = ["user", "assistant"].map((role) => (content: string) => ({ role, content }));
    const messages = [
      ...[user!("Paris?"), assistant!("Yes.")],
      ...[user!("Oslo?"), assistant!("Yes.")],
      user!("Rome?"),
    ];
    expect(asked.map(([path]) => path)).toEqual(Array(3).fill("/v1/chat/completions"));
    expect(asked[2]![1]).toMatchObject({ messages });
    const { data } = await openai.conversations.items.list(id, { order: "asc" });
    expect(data).toHaveLength(6);
  });

  if (served.includes("/v1/responses"))
    test.each(["auto", "never"] as const)(
      "with keys are the gateway's, so that no key reads those of another (--translate %s)",
      async (translate) => {
        const names = ["sk-one", "sk-two"];
        const options = { engines: [{ url: engine.url }], access: await accessWith(names), translate };
        const { url } = await startOwnGateway({}, options);
        const [one, two] = names.map((apiKey) => new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 }));
        const { id: conversation } = await one!.conversations.create({});
        expect(conversation).not.toBe(THEIRS);
        const ask = { model: "tiny", input: "Paris?" };
        const kept = await one!.responses.create(translate === "auto" ? ask : { ...ask, conversation });
        expect(await one!.responses.retrieve(kept.id)).toMatchObject({ output_text: "Yes." });
        expect(asked.map(([path]) => path)).toEqual(["/v1/chat/completions"]);
        for (const previous_response_id of [kept.id, "resp_theirs"])
          await expect(two!.responses.create({ ...ask, previous_response_id })).rejects.toMatchObject({
            status: 404,
          });
        for (const id of [kept.id, "resp_theirs"])
          await expect(two!.responses.retrieve(id)).rejects.toMatchObject({
            status: 404,
            code: "response_not_found",
          });
        for (const id of [conversation, THEIRS])
          await expect(two!.conversations.retrieve(id)).rejects.toMatchObject({ status: 404 });
        // What nobody can read later passes as it is.
        expect(await two!.responses.create({ ...ask, store: false })).toMatchObject({ id: "resp_theirs" });
      },
    );

  if (served.includes("/v1/responses"))
    test("are the engine's own where it keeps the responses", async () => {
      expect(await openai.responses.create({ model: "tiny", input: "Paris?" })).toMatchObject({
        id: "resp_theirs",
      });
      const passing = await start("never");
      const { id } = await passing.conversations.create({ metadata: { topic: "cities" } });
      expect(id).toBe(THEIRS);
      await passing.responses.create({ model: "tiny", conversation: id, input: "Paris?" });
      expect(asked.slice(1)).toEqual([
        ["/v1/conversations", { metadata: { topic: "cities" } }],
        ["/v1/responses", { model: "tiny", conversation: THEIRS, input: "Paris?" }],
      ]);
    });
});
