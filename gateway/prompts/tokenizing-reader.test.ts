import { expect, test } from "vitest";
import { placeholdersIn } from "./media.ts";
import type { PromptBody, PromptKind } from "./prompt-reader.ts";
import { PromptTemplate } from "./prompt-template.ts";
import { tokenizingReader } from "./tokenizing-reader.ts";

/** A template that renders an image as `#` and audio as `~`, with one token per character. */
const template = new PromptTemplate(
  `{% for message in messages %}{% for part in message['content'] %}
{%- if part.type == 'text' %}{{ part.text }}{% elif 'image' in part.type %}#{% elif 'audio' in part.type %}~{% endif %}
{%- endfor %}|{% endfor %}`,
  { bos: undefined, eos: undefined },
);

const ids = (text: string) => Uint32Array.from(text, (character) => character.codePointAt(0)!);

const reader = tokenizingReader({
  source: "a test",
  template,
  encode: async (text) => ids(text),
  prefix: [],
  placeholders: placeholdersIn({ image_token_id: 35, thinker_config: { audio_token_index: 126 } }),
});

const IMAGE = { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } };
const AUDIO = { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } };
const text = (text: string) => ({ type: "text", text });
const chat = (...content: unknown[]) => ({ messages: [{ role: "user", content }] });

test("a chat without media is read exactly", async () => {
  expect(await reader.read("chat", chat(text("Hi")))).toEqual({
    tokens: ids("Hi|"),
    media: [],
    isExact: true,
  });
});

test("media are at their placeholders, each with its own identity", async () => {
  const prompt = await reader.read("chat", chat(text("See "), IMAGE, text(", hear "), AUDIO));
  expect(prompt.tokens).toEqual(ids("See #, hear ~|"));
  expect(prompt.isExact).toBe(false);
  const identity = expect.stringMatching(/^[0-9a-f]{64}$/);
  expect(prompt.media).toEqual([
    { identity, offset: 4, length: 1 },
    { identity, offset: 12, length: 1 },
  ]);
  const again = await reader.read("chat", chat(IMAGE, { ...AUDIO, uuid: "other" }));
  expect(again.media[0]!.identity).toBe(prompt.media[0]!.identity);
  expect(again.media[1]!.identity).not.toBe(prompt.media[1]!.identity);
});

test.each<[string, PromptKind, PromptBody]>([
  ["a template that ignores media", "chat", chat(text("no"), { type: "video_url" }, IMAGE)],
  ["a part without a type", "chat", chat(text("no"), { image_url: "https://host/cat.png" })],
  ["the Messages API", "messages", chat(text("no"), { type: "image", source: { type: "url" } })],
  ["the Responses API", "responses", { input: chat(text("no"), { type: "input_image" }).messages }],
])("with %s, tokens are not treated as the engine's own", async (_, kind, body) => {
  const prompt = await reader.read(kind, body);
  expect(prompt.tokens.length).toBeGreaterThan(1);
  expect(prompt).toMatchObject({ media: [], isExact: false });
});
