import { expect, test } from "vitest";
import { webByteTools } from "../media/byte-tools.ts";
import { MediumBytes, readEncoded } from "../media/content.ts";
import { inspectMedia } from "../media/inspect/index.ts";
import { Medium } from "../media/medium.ts";
import { PNG, wav } from "../media/test-media.ts";
import type { MediaTokens } from "../media/tokens/index.ts";
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

/** An image is as many tokens as it is pixels wide; the length of audio is not known. */
const tokens: MediaTokens = {
  family: "test",
  written: () => undefined,
  merges: [],
  placeholder: (kind) => ({ image: 35, audio: 126, video: undefined })[kind],
  expand: (_, info) =>
    info.kind === "image"
      ? {
          tokens: Uint32Array.from([60, ...new Array<number>(info.width).fill(35), 62]),
          offset: 1,
          length: info.width,
        }
      : undefined,
};

const reader = tokenizingReader({
  source: "a test",
  template,
  encode: async (text) => ids(text),
  prefix: [],
  media: {
    placeholders: placeholdersIn({ image_token_id: 35, thinker_config: { audio_token_index: 126 } }),
    tokens,
    settle: async () => false,
  },
});

const medium = (base64: string, kind: "image" | "audio", isExact = true) => {
  const encoded = readEncoded(new TextEncoder().encode(base64))!;
  const info = inspectMedia(new MediumBytes(encoded, webByteTools));
  return {
    medium: new Medium(encoded, kind, info, webByteTools),
    identity: `id of ${base64.slice(0, 8)}`,
    isExact,
  };
};

const MEDIA = new Map([
  ["media:png", medium(PNG, "image")],
  ["media:unknown", medium(PNG, "image", false)],
  ["media:wav", medium(wav(), "audio")],
]);
const PNG_ID = MEDIA.get("media:png")!.identity;

const image = (name = "media:png") => ({ type: "image_url", image_url: { url: name } });
const AUDIO = { type: "input_audio", input_audio: { data: "media:wav", format: "wav" } };
const text = (text: string) => ({ type: "text", text });
const chat = (...content: unknown[]) => ({ messages: [{ role: "user", content }] });

test("a chat without media is read exactly", async () => {
  expect(await reader.read("chat", chat(text("Hi")))).toEqual({
    tokens: ids("Hi|"),
    media: [],
    isExact: true,
  });
});

test.each<[PromptKind, PromptBody]>([
  ["chat", chat(text("See "), image(), text(" and "), image(), text("."))],
  [
    "messages",
    chat(
      text("See "),
      { type: "image", source: { type: "base64", media_type: "image/png", data: "media:png" } },
      text(" and "),
      { type: "image", source: { type: "url", url: "media:png" } },
      text("."),
    ),
  ],
  [
    "responses",
    {
      input: chat(
        { type: "input_text", text: "See " },
        { type: "input_image", image_url: "media:png" },
        { type: "input_text", text: " and " },
        { type: "input_image", image_url: "media:png" },
        { type: "input_text", text: "." },
      ).messages,
    },
  ],
])("images of %s are at their places, at their length", async (kind, body) => {
  expect(await reader.read(kind, body, MEDIA)).toEqual({
    tokens: ids("See <######> and <######>.|"),
    media: [
      { identity: PNG_ID, offset: 5, length: 6 },
      { identity: PNG_ID, offset: 18, length: 6 },
    ],
    isExact: true,
  });
});

test("media that the engine knows by another id only serve to compare requests", async () => {
  expect(await reader.read("chat", chat(image("media:unknown")), MEDIA)).toEqual({
    tokens: ids("<######>|"),
    media: [{ identity: PNG_ID, offset: 1, length: 6 }],
    isExact: false,
  });
});

test("where the length of one is not known, all are single tokens", async () => {
  expect(await reader.read("chat", chat(text("Hi "), image(), AUDIO), MEDIA)).toEqual({
    tokens: ids("Hi #~|"),
    media: [
      { identity: PNG_ID, offset: 3, length: 1 },
      { identity: expect.any(String), offset: 4, length: 1 },
    ],
    isExact: false,
  });
});

test.each<[string, PromptKind, PromptBody]>([
  ["a template that ignores media", "chat", chat(text("no"), { type: "video_url" }, image())],
  ["a text that looks like a placeholder", "chat", chat(text("#"), image())],
  ["media that were not read", "chat", chat(text("no"), image("https://host/cat.png"))],
])("with %s, tokens are not treated as the engine's own", async (_, kind, body) => {
  const prompt = await reader.read(kind, body, MEDIA);
  expect(prompt.tokens.length).toBeGreaterThan(1);
  expect(prompt).toMatchObject({ media: [], isExact: false });
});
