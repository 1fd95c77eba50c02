import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import vectors from "../../../gateway/media/fixtures/vllm-image-hashes.json" with { type: "json" };
import { JPEG, OTHER_PNG, PNG, wav } from "../../../gateway/media/test-media.ts";
import type { Body } from "../access/attached.ts";
import { accessWith } from "../workers/keys-of.ts";
import { type OwnGateway, startOwnGateway } from "../workers/own-gateway.ts";
import { ScriptedEngine, sendJson } from "./scripted-engine.ts";

/** vLLM's name for the weights is part of what it hashes. */
const VLLM = "tiny-vl";
const OPENAI = "other";
const vllmHash = (base64: string) =>
  vectors.vectors.find((vector) => vector.base64 === base64 && vector.model_id === VLLM)!.hash;

let engines: ScriptedEngine[];
let gateway: OwnGateway;
let isolated: OwnGateway;
let web: ReturnType<typeof createServer>;
let webUrl: string;
const asked: { path: string; raw: Buffer; body: Body }[] = [];
/** Breaks a stream after its first event. */
let breaks = 0;

/** A PNG with so many bytes behind it, which decoders ignore. */
const large = (bytes: number) =>
  Buffer.concat([Buffer.from(PNG, "base64"), Buffer.alloc(bytes)]).toString("base64");

const USAGE = { prompt_tokens: 20, completion_tokens: 1, total_tokens: 21 };

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const raw = await buffer(request);
  const body = request.headers["content-type"]?.startsWith("application/json")
    ? JSON.parse(raw.toString())
    : {};
  // An empty body only asks whether there is such a path.
  if (raw.length > 2) asked.push({ path: request.url ?? "", raw, body });
  if (request.url?.startsWith("/v1/audio/")) return sendJson(response, { text: "Hello." });
  const common = { id: "chatcmpl-1", created: 1, model: body.model };
  if (request.url === "/v1/messages") {
    return sendJson(response, {
      ...common,
      type: "message",
      role: "assistant",
      content: [{ type: "text", text: "A cat." }],
      stop_reason: "end_turn",
      usage: { input_tokens: 20, output_tokens: 1 },
    });
  }
  if (request.url !== "/v1/chat/completions") return sendJson(response, { ...common, output: [], data: [] });
  if (body.stream !== true) {
    const choices = [{ index: 0, message: { role: "assistant", content: "A cat." }, finish_reason: "stop" }];
    return sendJson(response, { ...common, object: "chat.completion", choices, usage: USAGE });
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (fields: object) =>
    response.write(`data: ${JSON.stringify({ ...common, object: "chat.completion.chunk", ...fields })}\n\n`);
  send({ choices: [{ index: 0, delta: { role: "assistant", content: "A" }, finish_reason: null }] });
  if (breaks > 0) {
    breaks--;
    // Its event has left before the connection ends.
    response.socket?.end();
    return;
  }
  send({ choices: [{ index: 0, delta: { content: " cat." }, finish_reason: "stop" }] });
  send({ choices: [], usage: USAGE });
  response.end("data: [DONE]\n\n");
}

beforeAll(async () => {
  engines = await Promise.all([
    ScriptedEngine.start(VLLM, answer, "vllm"),
    ScriptedEngine.start(VLLM, answer, "vllm"),
    ScriptedEngine.start(OPENAI, answer),
  ]);
  web = createServer(({ url }, response) => {
    if (url === "/cat.png") response.end(Buffer.from(PNG, "base64"));
    else if (url === "/away") response.writeHead(302, { location: "http://169.254.169.254/latest" }).end();
    else response.writeHead(404).end();
  });
  await new Promise<void>((done) => web.listen(0, "127.0.0.1", done));
  webUrl = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  const specs = engines.map(({ url }) => ({ url }));
  const media = { fetches: true, domains: ["127.0.0.1"] };
  const { keys } = await accessWith(["alice", "bob", "carol"]);
  const grouped = keys.map((key) => ({ ...key, ...(key.id !== "carol" && { group: "family" }) }));
  const isolation = { by: "group", secret: "0123456789abcdef", sharedPrompts: [] } as const;
  [gateway, isolated] = await Promise.all([
    startOwnGateway({}, { engines: specs, access: { media }, bodyLimit: 20_000_000 }),
    startOwnGateway({}, { engines: specs, access: { keys: grouped, isolation } }),
  ]);
});

beforeEach(() => {
  asked.length = 0;
});

afterAll(async () => {
  web.closeAllConnections();
  web.close();
  await Promise.all(engines.map((engine) => engine[Symbol.asyncDispose]()));
});

const dataUrl = (base64: string, type = "image/png") => `data:${type};base64,${base64}`;
const image = (url = dataUrl(PNG), more: object = {}) => ({ type: "image_url", image_url: { url }, ...more });
const chat = (model: string, ...content: object[]) => ({ model, messages: [{ role: "user", content }] });
const partsOf = ({ messages }: Body): Body[] => Object.values(messages?.[0]?.content ?? {});

async function post(path: string, body: object, key?: string) {
  const url = `${(key === undefined ? gateway : isolated).url}${path}`;
  const headers = { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: response.status, json: (await response.json()) as Body };
}

describe("vLLM is told by which ids to know", () => {
  test("images: those that it would compute itself", async () => {
    const body = chat(VLLM, image(), { type: "text", text: "or" }, image(dataUrl(OTHER_PNG)));
    expect((await post("/v1/chat/completions", body)).status).toBe(200);
    const [one, , two] = body.messages[0]!.content;
    expect(asked[0]!.body).toEqual({
      ...body,
      messages: [
        {
          role: "user",
          content: [
            { ...one, uuid: vllmHash(PNG) },
            { type: "text", text: "or" },
            { ...two, uuid: vllmHash(OTHER_PNG) },
          ],
        },
      ],
    });
  });

  test("sounds: one of their bytes, whatever part they are in", async () => {
    const sound = wav();
    const input = { type: "input_audio", input_audio: { data: sound, format: "wav" } };
    const url = { type: "audio_url", audio_url: { url: dataUrl(sound, "audio/wav") } };
    const other = { type: "input_audio", input_audio: { data: wav(3200), format: "wav" } };
    await post("/v1/chat/completions", chat(VLLM, input, url, other));
    const [first, second, third] = partsOf(asked[0]!.body).map(({ uuid }) => uuid);
    expect(first).toMatch(/^[\da-f]{64}$/);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
  });

  test("none of a client's, which may be another picture's", async () => {
    await post("/v1/chat/completions", chat(VLLM, image(undefined, { uuid: "../x" })));
    await post("/v1/chat/completions", chat(OPENAI, image(undefined, { uuid: "../x" })));
    const [ofVllm, ofOther] = asked.map(({ body }) => partsOf(body)[0]!.uuid);
    expect(ofVllm).toBe(vllmHash(PNG));
    expect(ofOther).toBeUndefined();
  });

  test("ones of each group of keys, which nobody else can guess", async () => {
    for (const key of ["alice", "bob", "carol"])
      expect((await post("/v1/chat/completions", chat(VLLM, image()), key)).status).toBe(200);
    const [alice, bob, carol] = asked.map(({ body }) => partsOf(body)[0]!.uuid);
    expect(alice).toMatch(/^[\da-f]{64}$/);
    expect(bob).toBe(alice);
    expect(new Set([alice, carol, vllmHash(PNG)]).size).toBe(3);
  });
});

describe("a body with media", () => {
  test("reaches an engine without ids byte for byte", async () => {
    const picture = large(3_000_000);
    const text = `{ "model":"${OPENAI}",\n "messages": [{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,${picture}"}}]}], "seed": 18446744073709551615 }`;
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: text,
    });
    expect(response.status).toBe(200);
    expect(asked[0]!.raw.equals(Buffer.from(text))).toBe(true);
  });

  test("is whole again where an answer continues on another engine", async () => {
    const picture = dataUrl(large(30_000));
    breaks = 1;
    const client = new OpenAI({ apiKey: "none", baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    const stream = await client.chat.completions.create({
      model: VLLM,
      stream: true,
      messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: picture } }] }],
    });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    expect(asked).toHaveLength(2);
    const [before, after] = asked.map(({ body }) => partsOf(body)[0]!);
    expect(after).toEqual(before);
    expect(after?.image_url?.url).toBe(picture);
    expect(text).toContain("A");
  });

  test("has the media themselves in the place of their addresses", async () => {
    const { status } = await post("/v1/chat/completions", chat(OPENAI, image(`${webUrl}/cat.png`)));
    expect(status).toBe(200);
    expect(partsOf(asked[0]!.body)[0]?.image_url?.url).toBe(dataUrl(PNG));
  });

  test("is refused if an address leads to a private network, or to nothing", async () => {
    for (const [path, code] of [
      ["/away", "media_url_not_allowed"],
      ["/none", "media_not_fetched"],
    ]) {
      const { status, json } = await post("/v1/chat/completions", chat(OPENAI, image(`${webUrl}${path}`)));
      expect([status, json.error?.code, json.error?.param]).toEqual([
        400,
        code,
        "messages[0].content[0].image_url",
      ]);
    }
    expect(asked).toEqual([]);
  });
});

describe("clients send pictures", () => {
  test("with OpenAI's library: chats and responses", async () => {
    const client = new OpenAI({ apiKey: "none", baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    await client.chat.completions.create({
      model: OPENAI,
      messages: [
        { role: "user", content: [{ type: "image_url", image_url: { url: dataUrl(JPEG, "image/jpeg") } }] },
      ],
    });
    await client.responses.create({
      model: OPENAI,
      input: [
        {
          role: "user",
          content: [
            { type: "input_image", detail: "auto", image_url: dataUrl(PNG) },
            { type: "input_text", text: "What is it?" },
          ],
        },
      ],
    });
    expect(partsOf(asked[0]!.body)[0]?.image_url?.url).toBe(dataUrl(JPEG, "image/jpeg"));
    expect(JSON.stringify(asked[1]!.body)).toContain(PNG);
  });

  test("with Anthropic's library: data, an address, and a tool's picture", async () => {
    const client = new Anthropic({ apiKey: "none", baseURL: gateway.url, maxRetries: 0 });
    const message = await client.messages.create({
      model: OPENAI,
      max_tokens: 10,
      messages: [
        {
          role: "user",
          content: [
            { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } },
            { type: "image", source: { type: "url", url: `${webUrl}/cat.png` } },
            { type: "text", text: "The same?" },
          ],
        },
      ],
    });
    expect(message.content).toEqual([{ type: "text", text: "A cat." }]);
    expect(JSON.stringify(asked[0]!.body).split(PNG)).toHaveLength(3);
    expect(JSON.stringify(asked[0]!.body)).not.toContain(webUrl);
  });

  test("with forms: speech passes as it is", async () => {
    const client = new OpenAI({ apiKey: "none", baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    const file = new File([Buffer.from(wav(), "base64")], "speech.wav", { type: "audio/wav" });
    const { text } = await client.audio.transcriptions.create({ model: OPENAI, file });
    expect(text).toBe("Hello.");
    expect(asked[0]!.raw.includes(Buffer.from(wav(), "base64"))).toBe(true);
    await client.audio.speech.create({ model: OPENAI, voice: "alloy", input: "Hi" });
    expect(asked[1]!.path).toBe("/v1/audio/speech");
  });
});

describe("what could stop or poison an engine never reaches it", () => {
  const embeds = { type: "image_embeds", image_embeds: "AAAA" };
  test.each<[string, object, string]>([
    ["/v1/chat/completions", chat(VLLM, embeds), "messages[0].content[0].image_embeds"],
    ["/v1/messages", { max_tokens: 1, ...chat(VLLM, embeds) }, "messages[0].content[0].image_embeds"],
    [
      "/v1/responses",
      { model: VLLM, input: [{ role: "user", content: [embeds] }] },
      "input[0].content[0].image_embeds",
    ],
    ["/v1/completions", { model: VLLM, prompt: "", prompt_embeds: "AAAA" }, "prompt_embeds"],
    ["/v1/pooling", chat(VLLM, embeds), "messages[0].content[0].image_embeds"],
    [
      "/v1/chat/completions",
      chat(VLLM, { type: "image_url", image_url: null, uuid: "a" }),
      "messages[0].content[0].image_url",
    ],
    [
      "/v1/chat/completions",
      chat(VLLM, { ...image(), video_url: { url: "file:///etc/passwd" }, uuid: "a" }),
      "messages[0].content[0]",
    ],
  ])("%s with embeddings, or a part of two meanings, is refused", async (path, body, param) => {
    const { status, json } = await post(path, body);
    expect(status).toBe(400);
    if (path !== "/v1/messages") expect(json.error?.param).toBe(param);
    expect(json.error?.message).toContain(param);
    expect(asked).toEqual([]);
  });

  const fields = {
    kv_transfer_params: { do_remote_prefill: true },
    ec_transfer_params: { [vllmHash(PNG)]: {} },
    vllm_xargs: { kv_transfer_params: "{}" },
  };
  test.each<[string, object]>([
    ["/v1/chat/completions", chat(VLLM, image())],
    ["/v1/completions", { model: VLLM, prompt: "Hi" }],
    ["/v1/messages", { max_tokens: 1, ...chat(VLLM, { type: "text", text: "Hi" }) }],
    ["/v1/responses", { model: VLLM, input: "Hi" }],
    ["/v1/embeddings", { model: VLLM, input: "Hi" }],
  ])("parameters of transfers, in %s, are removed", async (path, body) => {
    expect((await post(path, { ...body, ...fields })).status).toBe(200);
    for (const { raw } of asked) expect(raw.toString()).not.toContain("transfer_params");
    expect(asked).toHaveLength(1);
  });
});
