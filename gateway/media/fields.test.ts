import { describe, expect, test } from "vitest";
import { mediaFieldsOf } from "./fields.ts";

const read = (body: Record<string, unknown>) =>
  mediaFieldsOf(body).map(({ path, kind, text, steps }) => ({ path, kind, text, at: steps.at(-1) }));

const chat = (...content: unknown[]) => ({ messages: [{ role: "user", content }] });

describe("media in a body", () => {
  test.each<[string, Record<string, unknown>, object]>([
    [
      "an image of a chat",
      chat({ type: "text", text: "?" }, { type: "image_url", image_url: { url: "data:a" } }),
      { path: "messages[0].content[1].image_url", kind: "image", text: "data:a", at: "url" },
    ],
    [
      "an image without an object around it",
      chat({ image_url: "https://a.example/" }),
      {
        path: "messages[0].content[0].image_url",
        kind: "image",
        text: "https://a.example/",
        at: "image_url",
      },
    ],
    [
      "audio of a chat",
      chat({ type: "input_audio", input_audio: { data: "AAAA", format: "wav" } }),
      { path: "messages[0].content[0].input_audio", kind: "audio", text: "AAAA", at: "data" },
    ],
    [
      "audio by its URL",
      chat({ type: "audio_url", audio_url: { url: "https://a.example/" } }),
      { path: "messages[0].content[0].audio_url", kind: "audio", text: "https://a.example/", at: "url" },
    ],
    [
      "a video",
      chat({ type: "video_url", video_url: { url: "https://a.example/" } }),
      { path: "messages[0].content[0].video_url", kind: "video", text: "https://a.example/", at: "url" },
    ],
    [
      "a file of a chat",
      chat({ type: "file", file: { file_data: "data:a", filename: "a.pdf" } }),
      { path: "messages[0].content[0].file", kind: "document", text: "data:a", at: "file_data" },
    ],
    [
      "a response's image",
      { input: [{ content: [{ type: "input_image", image_url: "data:a" }] }] },
      { path: "input[0].content[0].image_url", kind: "image", text: "data:a", at: "image_url" },
    ],
    [
      "a response's file",
      { input: [{ content: [{ type: "input_file", file_url: "https://a.example/" }] }] },
      { path: "input[0].content[0].file_url", kind: "document", text: "https://a.example/", at: "file_url" },
    ],
    [
      "an image that a tool returned to a response",
      { input: [{ type: "function_call_output", output: [{ type: "input_image", image_url: "data:a" }] }] },
      { path: "input[0].output[0].image_url", kind: "image", text: "data:a", at: "image_url" },
    ],
    [
      "a message's image",
      chat({ type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } }),
      { path: "messages[0].content[0].source", kind: "image", text: "AAAA", at: "data" },
    ],
    [
      "an image in a tool's result",
      chat({
        type: "tool_result",
        content: [{ type: "image", source: { type: "url", url: "https://a.example/" } }],
      }),
      {
        path: "messages[0].content[0].content[0].source",
        kind: "image",
        text: "https://a.example/",
        at: "url",
      },
    ],
    [
      "a message's document",
      chat({ type: "document", source: { type: "base64", media_type: "application/pdf", data: "AAAA" } }),
      { path: "messages[0].content[0].source", kind: "document", text: "AAAA", at: "data" },
    ],
    [
      "an edit's images",
      { image: ["https://a.example/"] },
      { path: "image", kind: "image", text: "https://a.example/", at: 0 },
    ],
    [
      "an image after a number",
      chat(1, { type: "image_url", image_url: { url: "data:a" } }),
      { path: "messages[0].content[1].image_url", kind: "image", text: "data:a", at: "url" },
    ],
  ])("%s is found", (_what, body, field) => expect(read(body)).toEqual([field]));

  test("all of a request are found, in its order", () => {
    const part = (url: string) => ({ type: "image_url", image_url: { url } });
    const fields = read({
      messages: [{ content: [part("data:a"), part("data:b")] }, { content: [part("data:a")] }],
    });
    expect(fields.map(({ path }) => path)).toEqual([
      "messages[0].content[0].image_url",
      "messages[0].content[1].image_url",
      "messages[1].content[0].image_url",
    ]);
  });

  test("tools, and text that only looks like an address, are none", () => {
    const body = {
      prompt: "http://localhost/",
      metadata: { image_url: "http://localhost/" },
      tools: [{ function: { parameters: { properties: { image_url: { type: "string" } } } } }],
      messages: [
        { content: "See http://localhost/." },
        { role: "assistant", content: null, audio: { id: "audio_1" } },
        { content: [{ type: "document", source: { type: "text", media_type: "text/plain", data: "One." } }] },
      ],
      documents: [{ text: "One.", source: "reports/2024 (draft).pdf" }],
      audio: { voice: "alloy", format: "wav" },
      video: "video_68d7512d",
      image: "a-model",
    };
    expect(read(body)).toEqual([]);
  });
});

describe("a part is refused", () => {
  test.each<[string, Record<string, unknown>, string]>([
    [
      "with embeddings",
      chat({ type: "image_embeds", image_embeds: "AAAA" }),
      "messages[0].content[0].image_embeds",
    ],
    ["with several embeddings", chat({ image_embeds: { a: "AAAA" } }), "messages[0].content[0].image_embeds"],
    [
      "with embeddings of audio",
      chat({ type: "audio_embeds", audio_embeds: "A" }),
      "messages[0].content[0].audio_embeds",
    ],
    ["with embeddings in place of a prompt", { prompt: "", prompt_embeds: ["AAAA"] }, "prompt_embeds"],
    [
      "with two media, of which engines could take either",
      chat({ type: "input_audio", input_audio: { data: "AAAA" }, image_url: "http://10.0.0.1/" }),
      "messages[0].content[0]",
    ],
    [
      "without data, which vLLM would take from its cache by its id",
      chat({ type: "image_url", image_url: null, uuid: "a" }),
      "messages[0].content[0].image_url",
    ],
    ["without data and type", chat({ image_url: null, uuid: "a" }), "messages[0].content[0].image_url"],
    [
      "with an object without data",
      chat({ type: "image_url", image_url: { url: null }, uuid: "a" }),
      "messages[0].content[0].image_url",
    ],
    [
      "with audio without data",
      chat({ type: "input_audio", input_audio: { data: null, format: "wav" }, uuid: "a" }),
      "messages[0].content[0].input_audio",
    ],
    [
      "with a picture that no JSON can have",
      chat({ image_pil: null, uuid: "a" }),
      "messages[0].content[0].image_pil",
    ],
    [
      "of embeddings by its type",
      chat({ type: "prompt_embeds", data: "AAAA" }),
      "messages[0].content[0].type",
    ],
    [
      "with nothing as its URL",
      chat({ type: "image_url", image_url: "" }),
      "messages[0].content[0].image_url",
    ],
  ])("%s", (_what, body, param) => {
    expect(() => mediaFieldsOf(body)).toThrow(expect.objectContaining({ status: 400, param }));
  });
});
