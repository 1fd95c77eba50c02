import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { JPEG, OTHER_PNG, PNG, pngOf, wav } from "../../../gateway/media/test-media.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";
import { MEDIUM_TOKENS, Seer } from "./seer.ts";

/** Requests with media to workers, whose engine says what it gets. */
const seer = new Seer("seer");
const others = [new Seer("twins"), new Seer("twins")];
let gateway: OwnGateway;
let openai: OpenAI;
let anthropic: Anthropic;

beforeAll(async () => {
  const engines = { seer, one: others[0]!, other: others[1]! };
  gateway = await startOwnGateway(engines, { bodyLimit: 20_000_000 });
  openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "none", maxRetries: 0 });
  anthropic = new Anthropic({ apiKey: "none", baseURL: gateway.url, maxRetries: 0 });
});

beforeEach(() => {
  for (const engine of [seer, ...others]) engine.requests.length = 0;
});

const size = (base64: string) => Buffer.from(base64, "base64").length;
const url = (base64: string, type = "image/png") => `data:${type};base64,${base64}`;
const image = (base64: string) => ({ type: "image_url" as const, image_url: { url: url(base64) } });
const text = (content: string) => ({ type: "text" as const, text: content });
const PICTURE = `[image image/png ${size(PNG)}]`;

type Part = OpenAI.ChatCompletionContentPart;
const chat = (content: Part[], model = "seer") =>
  openai.chat.completions.create({ model, messages: [{ role: "user", content }] });

describe("chats", () => {
  test("have a picture where the template puts its part, and its tokens in the usage", async () => {
    const { choices, usage } = await chat([image(PNG), text("What is this?")]);
    expect(choices[0]!.message.content).toBe(`u:${PICTURE}\nWhat is this?;`);
    const prompt = "u:\nWhat is this?;".length + MEDIUM_TOKENS;
    expect(usage).toMatchObject({ prompt_tokens: prompt });
    expect(usage!.total_tokens).toBe(prompt + usage!.completion_tokens);
  });

  test("can be streamed", async () => {
    const stream = await openai.chat.completions.create({
      model: "seer",
      messages: [{ role: "user", content: [text("Look:"), image(PNG)] }],
      stream: true,
      stream_options: { include_usage: true },
    });
    let answer = "";
    let promptTokens = 0;
    for await (const { choices, usage } of stream) {
      answer += choices[0]?.delta.content ?? "";
      promptTokens = usage?.prompt_tokens ?? promptTokens;
    }
    expect(answer).toBe(`u:Look:\n${PICTURE};`);
    expect(promptTokens).toBe("u:Look:\n;".length + MEDIUM_TOKENS);
  });

  test("have several media of several kinds and messages, in their order", async () => {
    const { choices } = await openai.chat.completions.create({
      model: "seer",
      messages: [
        { role: "user", content: [image(PNG), image(OTHER_PNG), text("Compare.")] },
        { role: "assistant", content: "Done." },
        {
          role: "user",
          content: [
            { type: "input_audio", input_audio: { data: wav(), format: "wav" } },
            image(PNG),
            { type: "image_url", image_url: { url: url(JPEG, "image/png") } },
          ],
        },
      ],
    });
    expect(choices[0]!.message.content).toBe(
      `u:${PICTURE}\n[image image/png ${size(OTHER_PNG)}]\nCompare.;a:Done.;` +
        `u:[audio audio/wav ${size(wav())}]\n${PICTURE}\n[image image/jpeg ${size(JPEG)}];`,
    );
    expect(seer.seen.map(({ data }) => Buffer.from(data).toString("base64"))).toEqual([
      PNG,
      OTHER_PNG,
      wav(),
      PNG,
      JPEG,
    ]);
  });

  test("bring large media to the engine unchanged", async () => {
    const large = wav(700_000);
    await chat([{ type: "input_audio", input_audio: { data: large, format: "wav" } }, text("Listen.")]);
    expect(Buffer.from(seer.seen[0]!.data).toString("base64")).toBe(large);
  });

  test("bring media to the engine however clients spell base64", async () => {
    const lines = PNG.replace(/(.{20})/g, "$1\n").replace(/=+$/, "");
    await chat([image(lines)]);
    expect(Buffer.from(seer.seen[0]!.data).toString("base64")).toBe(PNG);
  });

  test("without media are as ever", async () => {
    const { choices } = await chat([text("Hello!")]);
    expect(choices[0]!.message.content).toBe("u:Hello!;");
    expect(seer.requests[0]!.media).toBeUndefined();
  });

  test("with text that looks like a medium's place have none there", async () => {
    const { choices } = await chat([text("stator-medium-0."), image(PNG)]);
    expect(choices[0]!.message.content).toBe(`u:stator-medium-0.\n${PICTURE};`);
  });

  test("that their client leaves are cancelled", async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const cancelled = Promise.withResolvers<void>();
    Object.assign(seer, { gate, onBegun: begun.resolve, onCancelled: cancelled.resolve });
    const leaving = new AbortController();
    const answer = openai.chat.completions.create(
      { model: "seer", messages: [{ role: "user", content: [image(PNG)] }] },
      { signal: leaving.signal },
    );
    await begun.promise;
    leaving.abort();
    await expect(answer).rejects.toThrow();
    await cancelled.promise;
    open();
  });

  test("are continued by another worker, which gets the media too", async () => {
    for (const twin of others) twin.fails = true;
    const [one, other] = others;
    // One of them has failed already when the other one is asked.
    one!.onBegun = () => (other!.fails = false);
    other!.onBegun = () => (one!.fails = false);
    const { choices, usage } = await chat([text("Look:"), image(PNG)], "twins");
    const prompt = "u:Look:\n;";
    const requests = [...one!.requests, ...other!.requests].sort((a, b) => a.tokens.length - b.tokens.length);
    expect(
      requests.map(({ media = [] }) => media.map(({ position, data }) => [position, data.length])),
    ).toEqual([[[prompt.length - 1, size(PNG)]], [[prompt.length - 1, size(PNG)]]]);
    const begun = `u:Look:\n${PICTURE}`;
    expect(requests.map(({ tokens }) => tokens.length)).toEqual([
      prompt.length,
      prompt.length + begun.length,
    ]);
    expect(choices[0]!.message.content).toBe(`${begun}${begun};${begun}`);
    expect(usage!.prompt_tokens).toBe(prompt.length + MEDIUM_TOKENS);
  });

  test("with the same picture go to the worker that has seen it", async () => {
    const worker = async (picture: string) => {
      const messages = [{ role: "user", content: [image(picture), text("x".repeat(500))] }];
      const response = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-stator-explain": "1" },
        body: JSON.stringify({ model: "twins", messages }),
      });
      await response.text();
      return others.findIndex(({ requests }) => requests.splice(0).length > 0);
    };
    const pictures = [PNG, OTHER_PNG, pngOf(32, 32), pngOf(64, 32)];
    const first: number[] = [];
    for (const picture of pictures) first.push(await worker(picture));
    const second: number[] = [];
    for (const picture of pictures.toReversed()) second.unshift(await worker(picture));
    expect(second).toEqual(first);
    expect(new Set(first).size).toBe(2);
  });
});

describe("other APIs", () => {
  test("Messages", async () => {
    const source = { type: "base64" as const, media_type: "image/png" as const, data: PNG };
    const answer = await anthropic.messages.create({
      model: "seer",
      max_tokens: 500,
      messages: [{ role: "user", content: [{ type: "image", source }, text("What is this?")] }],
    });
    expect(answer.content).toMatchObject([{ type: "text", text: `u:${PICTURE}\nWhat is this?;` }]);
    expect(answer.usage.input_tokens).toBe("u:\nWhat is this?;".length + MEDIUM_TOKENS);
  });

  test("Responses, also when a later one continues", async () => {
    const first = await openai.responses.create({
      model: "seer",
      input: [
        {
          role: "user",
          content: [
            { type: "input_image", image_url: url(PNG), detail: "auto" },
            { type: "input_text", text: "What is this?" },
          ],
        },
      ],
    });
    expect(first.output_text).toBe(`u:${PICTURE}\nWhat is this?;`);
    expect(first.usage!.input_tokens).toBe("u:\nWhat is this?;".length + MEDIUM_TOKENS);
    const second = await openai.responses.create({
      model: "seer",
      previous_response_id: first.id,
      input: "And now?",
    });
    expect(second.output_text).toContain(`u:${PICTURE}\nWhat is this?;`);
    expect(seer.seen).toHaveLength(1);
  });
});
