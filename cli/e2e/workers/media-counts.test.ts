import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { PNG } from "../../../gateway/media/test-media.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";
import { MEDIUM_TOKENS, Seer } from "./seer.ts";

/** Counts of tokens, which a worker completes. */
const seer = new Seer("seer");
const others = [new Seer("twins"), new Seer("twins")];
const blind = new Seer("blind", { media: undefined });
const ORIGIN = "https://a.example";
let gateway: OwnGateway;
let openai: OpenAI;
let anthropic: Anthropic;

beforeAll(async () => {
  gateway = await startOwnGateway(
    { seer, one: others[0]!, other: others[1]!, blind },
    { access: { cors: [ORIGIN] } },
  );
  openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "none", maxRetries: 0 });
  anthropic = new Anthropic({ apiKey: "none", baseURL: gateway.url, maxRetries: 0 });
});

beforeEach(() => {
  for (const engine of [seer, ...others]) engine.requests.length = 0;
});

const url = (base64: string) => `data:image/png;base64,${base64}`;
const image = (base64: string) => ({ type: "image_url" as const, image_url: { url: url(base64) } });
const text = (content: string) => ({ type: "text" as const, text: content });

const refusal = (path: string, body: object) => gateway.refusal(path, body);

describe("tokens are counted with their media", () => {
  const source = { type: "base64" as const, media_type: "image/png" as const, data: PNG };
  const messages: Anthropic.MessageParam[] = [
    { role: "user", content: [{ type: "image", source }, text("What is this?")] },
  ];
  const input: OpenAI.Responses.ResponseInput = [
    {
      role: "user",
      content: [
        { type: "input_image", image_url: url(PNG), detail: "auto" },
        { type: "input_text", text: "What is this?" },
      ],
    },
  ];
  const expected = "u:\nWhat is this?;".length + MEDIUM_TOKENS;
  const count = async (path: string, body: object) =>
    (await (await gateway.post(path, { model: "seer", ...body })).json()) as Record<string, unknown>;

  test("in Messages, by a worker that generates nothing", async () => {
    expect(await anthropic.messages.countTokens({ model: "seer", messages })).toEqual({
      input_tokens: expected,
    });
    expect(seer.requests.map(({ maxTokens, media }) => [maxTokens, media?.length])).toEqual([[0, 1]]);
    await anthropic.messages.countTokens({ model: "seer", messages: [{ role: "user", content: "Hi" }] });
    expect(seer.requests).toHaveLength(1);
  });

  test("with the headers of any answer, for pages of other origins too", async () => {
    const answer = await fetch(`${gateway.url}/v1/messages/count_tokens`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: ORIGIN },
      body: JSON.stringify({ model: "seer", messages }),
    });
    expect(answer.headers.get("access-control-allow-origin")).toBe(ORIGIN);
    expect(answer.headers.get("x-request-id")).toBeTruthy();
  });

  test("in Responses, also of a conversation that continues", async () => {
    const counted = { object: "response.input_tokens", input_tokens: expected };
    expect(await count("/v1/responses/input_tokens", { input })).toEqual(counted);
    const first = await openai.responses.create({ model: "seer", input });
    const more = await count("/v1/responses/input_tokens", { previous_response_id: first.id, input: "And?" });
    expect(more.input_tokens).toBe(expected + `a:${first.output_text};u:And?;`.length);
  });

  test("by /tokenize, whose tokens are only those of the text", async () => {
    const chats = [{ role: "user", content: [image(PNG), text("What is this?")] }];
    for (const path of ["/v1/tokenize", "/tokenize"]) {
      const { count: all, tokens } = await count(path, { messages: chats });
      expect(all).toBe(expected);
      expect(tokens).toEqual([...Buffer.from("u:\nWhat is this?;")]);
    }
  });

  test("of an engine that begins to answer nevertheless, which is stopped", async () => {
    const cancelled = Promise.withResolvers<void>();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    Object.assign(seer, { isHasty: true, gate, onCancelled: cancelled.resolve });
    expect(await count("/v1/messages/count_tokens", { messages })).toEqual({ input_tokens: expected });
    await cancelled.promise;
    open();
    Object.assign(seer, { isHasty: false, gate: Promise.resolve(), onCancelled: () => {} });
  });

  test("by another worker if one fails", async () => {
    const [one, other] = others;
    for (const twin of others) twin.fails = true;
    one!.onFailed = () => (other!.fails = false);
    other!.onFailed = () => (one!.fails = false);
    const { input_tokens } = await count("/v1/messages/count_tokens", { model: "twins", messages });
    expect(input_tokens).toBe(expected);
    expect(others.map(({ requests }) => requests.length)).toEqual([1, 1]);
  });

  test("unless a medium is faulty, or none that the model takes", async () => {
    const bad = { ...source, data: "AAAA" };
    const faulty = [{ role: "user", content: [{ type: "image", source: bad }] }];
    expect(await refusal("/v1/messages/count_tokens", { model: "seer", messages: faulty })).toMatchObject({
      status: 400,
      message: expect.stringContaining("messages[0].content[0].source"),
    });
    for (const [path, body] of [
      ["/v1/messages/count_tokens", { messages }],
      ["/v1/responses/input_tokens", { input }],
      ["/v1/tokenize", { messages: [{ role: "user", content: [image(PNG)] }] }],
    ] as const)
      expect(await refusal(path, { model: "blind", ...body })).toMatchObject({ status: 400 });
    expect(seer.requests).toEqual([]);
  });
});
