import type { IncomingMessage, ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { JPEG, OTHER_PNG, PNG } from "../../../gateway/media/test-media.ts";
import type { Body } from "../access/attached.ts";
import { metric } from "../metrics.ts";
import { type OwnGateway, startOwnGateway } from "../workers/own-gateway.ts";
import { ScriptedEngine, sendJson } from "./scripted-engine.ts";

type Handler = (body: Body, response: ServerResponse) => unknown;

let engines: ScriptedEngine[];
let gateway: OwnGateway;
/** What the encoders and the other engines were asked. */
let encoding: { engine: number; body: Body; headers: IncomingMessage["headers"] }[];
let answering: Body[];
let encode: Handler;
let answer: Handler;

const uuids = ({ messages }: Body): string[] =>
  Object.values(messages?.[0]?.content ?? {}).flatMap(({ uuid }) =>
    uuid === undefined ? [] : [String(uuid)],
  );

const encoded: Handler = (body, response) =>
  sendJson(response, {
    choices: [],
    ec_transfer_params: Object.fromEntries(
      uuids(body).map((id, index) => [
        id,
        { item_indices: [index], metadata: { image_grid_thw: [1, 2, 2] } },
      ]),
    ),
  });

const answered: Handler = (_body, response) =>
  sendJson(response, {
    object: "chat.completion",
    choices: [{ index: 0, message: { role: "assistant", content: "A cat." }, finish_reason: "stop" }],
    usage: { prompt_tokens: 20, completion_tokens: 3, total_tokens: 23 },
  });

const start = (engine: number) =>
  ScriptedEngine.start(
    "tiny",
    async (request, response) => {
      const body = (await json(request)) as Body;
      if (engine < 2) {
        encoding.push({ engine, body, headers: request.headers });
        encode(body, response);
      } else {
        answering.push(body);
        answer(body, response);
      }
    },
    "vllm",
  );

beforeEach(async () => {
  [encoding, answering, encode, answer] = [[], [], encoded, answered];
  engines = await Promise.all([0, 1, 2].map(start));
  await open();
});

/** @param encodeMs for how long it waits for encoders */
async function open(encodeMs = 60_000): Promise<void> {
  const [one, two, three] = engines.map(({ url }) => url) as [string, string, string];
  gateway = await startOwnGateway(
    {},
    {
      engines: [
        { url: one, role: "encode" },
        { url: two, role: "encode" },
        { url: three, apiKey: "secret" },
      ],
      requestOptions: { encodeMs },
    },
  );
  await expect.poll(async () => (await fetch(`${gateway.url}/health`)).status).toBe(200);
}

afterEach(() => Promise.all(engines.map((engine) => engine[Symbol.asyncDispose]())));

const image = (base64: string, type = "png") => ({
  type: "image_url",
  image_url: { url: `data:image/${type};base64,${base64}` },
});
const chat = (...content: object[]) => ({ model: "tiny", messages: [{ role: "user", content }] });
const text = { type: "text", text: "What is it?" };

async function ask(body: object): Promise<string> {
  const response = await gateway.post("/v1/chat/completions", body);
  expect(response.status).toBe(200);
  return (await response.json()).choices[0].message.content;
}

const count = (place: string, reason?: string) =>
  metric(gateway.url, "stator_encodes_total", { place, ...(reason && { reason }) });

describe("media are encoded by encode engines", () => {
  test("which get only the media, and the next engine what they answer in their place", async () => {
    expect(await ask(chat({ type: "text", text: "Look: " }, image(PNG), text))).toBe("A cat.");
    const [{ body, headers }] = encoding as [(typeof encoding)[0]];
    const [id] = uuids(body);
    expect(body).toEqual({
      model: "tiny",
      messages: [{ role: "user", content: [{ ...image(PNG), uuid: id }] }],
      stream: false,
    });
    expect(headers["x-request-id"]).toMatch(/:\d+:[\da-f]{8}$/);
    expect(headers.authorization).toBeUndefined();
    const metadata = { image_grid_thw: [1, 2, 2] };
    expect(answering).toEqual([
      {
        ...chat(
          { type: "text", text: "Look: " },
          { type: "image_embeds", image_embeds: metadata, uuid: id },
          text,
        ),
        ec_transfer_params: { [id!]: { item_indices: [0], metadata } },
      },
    ]);
  });

  test("once, however many requests have them, and whole where it was done before", async () => {
    const held = Promise.withResolvers<void>();
    encode = async (body, response) => {
      await held.promise;
      encoded(body, response);
    };
    const all = [1, 2, 3].map((index) => ask(chat({ type: "text", text: `${index}` }, image(PNG))));
    await expect.poll(() => encoding.length).toBe(1);
    await expect.poll(() => count("shared")).toBe(2);
    held.resolve();
    await Promise.all(all);
    await ask(chat({ type: "text", text: "4" }, image(PNG)));
    expect(encoding).toHaveLength(1);
    const last = answering.at(-1)!;
    expect(last.messages?.[0]?.content?.[1]?.image_url?.url).toBe(image(PNG).image_url.url);
    expect(Object.keys(last.ec_transfer_params ?? {})).toEqual([uuids(encoding[0]!.body)[0]]);
    expect([await count("remote"), await count("shared")]).toEqual([1, 3]);
  });

  test("shared among them", async () => {
    await ask(chat(image(PNG), image(OTHER_PNG), image(JPEG, "jpeg"), image(PNG)));
    expect(encoding.flatMap(({ body }) => uuids(body))).toHaveLength(3);
    expect(new Set(encoding.map(({ engine }) => engine)).size).toBe(encoding.length);
    expect(Object.keys(answering[0]!.ec_transfer_params ?? {})).toHaveLength(3);
  });

  test("only if there are some", async () => {
    await ask(chat(text));
    expect([encoding.length, answering.length]).toEqual([0, 1]);
    expect(answering[0]!.ec_transfer_params).toBeUndefined();
  });
});

describe("the next engine encodes media itself", () => {
  test.each<[string, Handler, string]>([
    [
      "an encoder fails",
      (_, response) => sendJson(response, { error: { message: "No." } }, 500),
      "encoder_refused",
    ],
    [
      "an encoder refuses",
      (_, response) => sendJson(response, { error: { message: "No." } }, 400),
      "encoder_refused",
    ],
    ["an encoder ends", (_, response) => response.destroy(), "encoder_lost"],
    ["an encoder answers nonsense", (_, response) => response.end("{"), "encoder_unusable"],
    ["an encoder is none", answered, "encoder_unusable"],
    ["an encoder does not answer in time", () => {}, "encoder_timeout"],
  ])("if %s", async (_what, handler, reason) => {
    if (reason === "encoder_timeout") await open(300);
    encode = handler;
    expect(await ask(chat(image(PNG), text))).toBe("A cat.");
    expect(answering[0]!.messages?.[0]?.content?.[0]?.image_url?.url).toBe(image(PNG).image_url.url);
    expect(answering[0]!.ec_transfer_params).toBeUndefined();
    expect(await count("fallback", reason)).toBe(1);
  });

  test("if it failed with what an encoder had answered", async () => {
    answer = (body, response) =>
      JSON.stringify(body).includes("_embeds")
        ? sendJson(response, { error: { message: "EngineCore encountered an issue." } }, 500)
        : answered(body, response);
    expect(await ask(chat(image(PNG), text))).toBe("A cat.");
    expect(answering).toHaveLength(2);
    expect(answering[1]!.messages?.[0]?.content?.[0]?.image_url?.url).toBe(image(PNG).image_url.url);
    expect(await count("local", "failed")).toBe(1);
  });
});

test("x-stator-explain names the encode engines", async () => {
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-stator-explain": "true" },
    body: JSON.stringify(chat(image(PNG))),
  });
  const { host } = new URL(engines[encoding[0]!.engine]!.url);
  expect(response.headers.get("x-stator-encode-worker")).toBe(host);
});

test("a client that leaves cancels what only it was waiting for", async () => {
  const gone = Promise.withResolvers<void>();
  encode = (_, response) => void response.on("close", gone.resolve);
  const abort = new AbortController();
  const leaving = fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(chat(image(PNG))),
    signal: abort.signal,
  }).catch(() => "left");
  await expect.poll(() => encoding.length).toBe(1);
  abort.abort();
  expect(await leaving).toBe("left");
  await gone.promise;
  encode = encoded;
  expect(await ask(chat(image(PNG)))).toBe("A cat.");
  expect(encoding).toHaveLength(2);
});
