import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { OTHER_PNG, PNG, wav } from "../../../gateway/media/test-media.ts";
import { ask } from "../access/attached.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";
import { Reader } from "./reader.ts";
import { Seer } from "./seer.ts";

// Pictures for a model that takes only text: a worker reads them.

const blind = new Seer("blind", { media: undefined });
const readers = [new Reader("glasses"), new Reader("glasses")];
let gateway: OwnGateway;
let openai: OpenAI;
let anthropic: Anthropic;

beforeAll(async () => {
  gateway = await startOwnGateway({ blind, one: readers[0]!, two: readers[1]! });
  openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "none", maxRetries: 0 });
  anthropic = new Anthropic({ apiKey: "none", baseURL: gateway.url, maxRetries: 0 });
});

beforeEach(() => {
  blind.requests.length = 0;
  for (const reader of readers)
    Object.assign(reader, { read: 0, isBroken: false, refusal: undefined, isTooLarge: false });
});

const size = (base64: string) => Buffer.from(base64, "base64").length;
const url = (base64: string) => `data:image/png;base64,${base64}`;
const image = (base64: string) => ({ type: "image_url" as const, image_url: { url: url(base64) } });
const reading = (base64: string) => `<image>\n${size(base64)} bytes\n</image>`;
const reads = () => readers[0]!.read + readers[1]!.read;

/** A picture that no test has sent yet. */
let sent = 0;
const newPicture = () => {
  const bytes = Buffer.from(PNG, "base64");
  return Buffer.concat([bytes, Buffer.alloc(++sent)]).toString("base64");
};

const chat = (content: OpenAI.ChatCompletionContentPart[]) =>
  openai.chat.completions.create({ model: "blind", messages: [{ role: "user", content }] });

describe("a model without media of its own", () => {
  test("gets the text of pictures in their place, in chats, Responses and Messages", async () => {
    const { choices } = await chat([image(PNG), { type: "text", text: "What is this?" }]);
    expect(choices[0]!.message.content).toBe(`u:${reading(PNG)}\nWhat is this?;`);
    const response = await openai.responses.create({
      model: "blind",
      input: [
        { role: "user", content: [{ type: "input_image", image_url: url(OTHER_PNG), detail: "auto" }] },
      ],
    });
    expect(response.output_text).toBe(`u:${reading(OTHER_PNG)};`);
    const { content } = await anthropic.messages.create({
      model: "blind",
      max_tokens: 500,
      messages: [
        {
          role: "user",
          content: [{ type: "image", source: { type: "base64", media_type: "image/png", data: PNG } }],
        },
      ],
    });
    expect(content).toMatchObject([{ type: "text", text: `u:${reading(PNG)};` }]);
    expect(reads()).toBe(2);
  });

  test("has the text of pictures counted", async () => {
    const picture = newPicture();
    const expected = `u:${reading(picture)};`.length;
    const source = { type: "base64" as const, media_type: "image/png" as const, data: picture };
    const messages = [{ role: "user" as const, content: [{ type: "image" as const, source }] }];
    expect(await anthropic.messages.countTokens({ model: "blind", messages })).toEqual({
      input_tokens: expected,
    });
    const input = [{ role: "user", content: [{ type: "input_image", image_url: url(picture) }] }];
    const responses = await gateway.post("/v1/responses/input_tokens", { model: "blind", input });
    expect(await responses.json()).toMatchObject({ input_tokens: expected });
    const chat = [{ role: "user", content: [image(picture)] }];
    const tokenized = await gateway.post("/v1/tokenize", { model: "blind", messages: chat });
    const { count, tokens } = (await tokenized.json()) as { count: number; tokens: number[] };
    expect([count, Buffer.from(tokens).toString()]).toEqual([expected, `u:${reading(picture)};`]);
    expect(reads()).toBe(1);
    expect(blind.requests).toEqual([]);
  });

  test("has pictures read once, however many ask", async () => {
    const picture = newPicture();
    const all = await Promise.all(Array.from({ length: 8 }, () => chat([image(picture), image(picture)])));
    for (const { choices } of all)
      expect(choices[0]!.message.content).toBe(`u:${reading(picture)}\n${reading(picture)};`);
    expect(reads()).toBe(1);
  });

  test("gets what another worker reads if one fails", async () => {
    readers[0]!.isBroken = true;
    for (let time = 0; time < 4; time++) {
      const picture = newPicture();
      expect((await chat([image(picture)])).choices[0]!.message.content).toBe(`u:${reading(picture)};`);
    }
    expect(reads()).toBe(4);
  });

  test("answers with an error if no worker can read a picture", async () => {
    for (const reader of readers) reader.isBroken = true;
    await expect(chat([image(newPicture())])).rejects.toMatchObject({
      ...{ status: 503, code: "media_not_read", param: "messages[0].content[0].image_url" },
    });
    for (const reader of readers) Object.assign(reader, { isBroken: false, refusal: "It is blurred." });
    await expect(chat([{ type: "text", text: "Look:" }, image(newPicture())])).rejects.toMatchObject({
      ...{ status: 400, code: "invalid_media", param: "messages[0].content[1].image_url" },
      message: expect.stringContaining("'messages[0].content[1].image_url'. It is blurred."),
    });
    for (const reader of readers) Object.assign(reader, { refusal: "It is huge.", isTooLarge: true });
    await expect(chat([image(newPicture())])).rejects.toMatchObject({
      ...{ status: 400, code: "media_too_large", param: "messages[0].content[0].image_url" },
    });
  });

  test("takes no kinds that nobody reads", async () => {
    await expect(
      chat([{ type: "input_audio", input_audio: { data: wav(), format: "wav" } }]),
    ).rejects.toMatchObject({ status: 400 });
  });
});

test("workers that only read are no model, but part of the state", async () => {
  const { data } = await openai.models.list();
  expect(data.map(({ id }) => id)).toEqual(["blind"]);
  const { body: listed } = await ask(`${gateway.url}/admin/workers`);
  expect(listed).toMatchObject({
    data: expect.arrayContaining([
      expect.objectContaining({
        ...{ role: "encode", block_size: null, total_blocks: null },
        models: [expect.objectContaining({ name: "glasses", context_length: null })],
      }),
      expect.objectContaining({ role: "aggregated", block_size: expect.any(Number) }),
    ]),
  });
  const { body: health } = await ask(`${gateway.url}/health`);
  expect(health).toMatchObject({
    status: "ready",
    models: expect.arrayContaining([
      expect.objectContaining({ name: "glasses", role: "encode", status: "ready" }),
    ]),
  });
});

test("a model that is not there is what is wrong with a request, whatever else it has", async () => {
  await expect(
    openai.chat.completions.create({
      model: "nobody",
      messages: [{ role: "user", content: [image(PNG)] }],
    }),
  ).rejects.toMatchObject({ status: 404, code: "model_not_found" });
  await expect(
    openai.chat.completions.create({ model: "glasses", messages: [{ role: "user", content: "Hi" }] }),
  ).rejects.toMatchObject({ status: 400, message: expect.stringContaining("only encodes media") });
});

test("pictures can be sent again while the worker that reads them is being restarted", async () => {
  const own = await startOwnGateway({
    blind: new Seer("blind", { media: undefined }),
    one: new Reader("glasses"),
  });
  const send = () =>
    own.post("/v1/chat/completions", {
      model: "blind",
      messages: [{ role: "user", content: [image(PNG)] }],
    });
  expect((await send()).status).toBe(200);
  await own.kill("one");
  const again = await own.post("/v1/chat/completions", {
    model: "blind",
    messages: [{ role: "user", content: [image(newPicture())] }],
  });
  expect([again.status, again.headers.get("retry-after")]).toEqual([503, "2"]);
  // What has been read is known.
  expect((await send()).status).toBe(200);
});
