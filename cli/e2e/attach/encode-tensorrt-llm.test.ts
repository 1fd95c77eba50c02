import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type StandIn, type StandInOptions, type StandInWork, startTensorrtLlm, startVllm } from "#stand-ins";
import { JPEG, OTHER_PNG, PNG } from "../../../gateway/media/test-media.ts";
import { metric } from "../metrics.ts";
import { type OwnGateway, startOwnGateway } from "../workers/own-gateway.ts";

// The stand-ins refuse what TensorRT-LLM's protocol forbids, and count handles that are opened twice.

type Step = readonly [engine: string, did: StandInWork["did"], media: readonly string[]];

let opened: AsyncDisposable[];
/** What the engines have done. */
let steps: Step[];
let encoder: StandIn;
let gateway: OwnGateway;

beforeEach(() => {
  [opened, steps] = [[], []];
});

afterEach(async () => {
  for (const each of opened) await each[Symbol.asyncDispose]();
});

async function start(name: string, options: StandInOptions = {}): Promise<StandIn> {
  const standIn = await startTensorrtLlm({
    takesMedia: true,
    onWork: ({ did, media }) => void steps.push([name, did, media]),
    ...options,
  });
  opened.push(standIn);
  return standIn;
}

/** A gateway of these engines; the encoder tells its role itself. @param encodeMs for how long it waits for encoders */
async function attach(
  engines: { url: string; role?: "prefill" | "decode" | "encode" }[],
  encodeMs = 60_000,
): Promise<void> {
  gateway = await startOwnGateway(
    {},
    {
      // Not what else stand-ins have.
      engines: engines.map(({ url, role }) => ({ url, role })),
      requestOptions: { encodeMs },
    },
  );
}

const image = (base64: string, type = "png") => ({
  type: "image_url",
  image_url: { url: `data:image/${type};base64,${base64}` },
});
const text = (words: string) => ({ type: "text", text: words });
const chat = (content: readonly object[], more: object = {}) => ({
  model: "tiny",
  messages: [{ role: "user", content }],
  max_tokens: 8,
  ignore_eos: true,
  ...more,
});

async function ask(body: object, path = "/v1/chat/completions") {
  const response = await gateway.post(path, body);
  const answer = await response.text();
  expect(response.status, answer).toBe(200);
  return answer;
}

const contentOf = (answer: string): string => JSON.parse(answer).choices[0].message.content;

const count = (place: string, reason?: string) =>
  metric(gateway.url, "stator_encodes_total", { place, ...(reason && { reason }) });

/** The lines of the log with this text. */
const said = (words: string) => gateway.logged.filter((line) => JSON.stringify(line).includes(words));

const LONG = "Much is to be read before this ends. ".repeat(80);

describe("an encoder and an engine that computes prompts and answers", () => {
  let engine: StandIn;

  beforeEach(async () => {
    [encoder, engine] = [await start("encoder", { role: "encode" }), await start("engine")];
    await attach([encoder, engine]);
  });

  test("share a chat, whose answer is that of the engine alone", async () => {
    const body = chat([text("Look: "), image(PNG), text("What is it?"), image(JPEG, "jpeg")]);
    const direct = await (await fetch(`${engine.url}/v1/chat/completions`, post(body))).text();
    steps.length = 0;
    expect(contentOf(await ask(body))).toBe(contentOf(direct));
    expect(steps).toEqual([
      ["encoder", "encoded", ["image", "image"]],
      ["engine", "answered", ["embedding", "embedding"]],
    ]);
    expect(await count("remote")).toBe(2);
    expect(await metric(gateway.url, "stator_remote_encode_seconds_count")).toBe(1);
  });

  test("share each request anew, as a handle is opened once", async () => {
    const bodies = [1, 2, 3, 4].map((index) => chat([text(`${index}`), image(PNG), image(OTHER_PNG)]));
    await Promise.all(bodies.map((body) => ask(body)));
    await ask(bodies[0]!);
    expect(steps.filter(([, did]) => did === "encoded")).toHaveLength(5);
    expect(steps.filter(([, did]) => did === "answered")).toHaveLength(5);
    expect([await count("remote"), await count("shared")]).toEqual([10, 0]);
    // Two handles of embeddings and two of positions each time.
    const { held, read, readLate } = encoder.kvExports;
    expect({ held, read, readLate }).toEqual({ held: 0, read: 20, readLate: 0 });
  });

  test("share streams, and chats with tools", async () => {
    const parameters = { type: "object", properties: { city: { type: "string" } } };
    const tools = [{ type: "function", function: { name: "weather", parameters } }];
    const body = chat([image(PNG), text("Where is it?")], { tools });
    const whole = contentOf(await ask(body));
    const stream = await ask({ ...body, stream: true, stream_options: { include_usage: true } });
    const chunks = stream.split("\n\n").filter((line) => line.startsWith("data: {"));
    const deltas = chunks.map((line) => JSON.parse(line.slice(6)).choices[0]?.delta.content ?? "");
    expect(deltas.join("")).toBe(whole);
    expect(steps.map(([name]) => name)).toEqual(["encoder", "engine", "encoder", "engine"]);
  });

  test("share other APIs' requests, which become chats", async () => {
    const source = { type: "base64", media_type: "image/png", data: PNG };
    const messages = [{ role: "user", content: [{ type: "image", source }] }];
    await ask({ model: "tiny", messages, max_tokens: 4 }, "/v1/messages");
    const content = [{ type: "input_image", image_url: `data:image/png;base64,${PNG}` }];
    await ask({ model: "tiny", input: [{ role: "user", content }], store: false }, "/v1/responses");
    expect(steps.map(([name, , media]) => [name, ...media])).toEqual([
      ["encoder", "image"],
      ["engine", "embedding"],
      ["encoder", "image"],
      ["engine", "embedding"],
    ]);
  });

  test.each([
    [
      "/v1/chat/completions",
      { messages: [{ role: "user", content: [image(PNG)] }] },
      ["encoded", "answered"],
    ],
    ["/v1/completions", { prompt: "Hello" }, ["answered"]],
    ["/v1/messages", { messages: [{ role: "user", content: "Hello" }], max_tokens: 4 }, ["answered"]],
    ["/v1/responses", { input: "Hello", store: false }, ["answered"]],
  ])("never get a client's own handles: %s", async (path, body, expected) => {
    const handle = { tensor_size: [4, 64], method_key: 1, storage_handle: "AAAA" };
    const params = { request_type: "context_and_generation", multimodal_embedding_handles: [handle] };
    await ask({ model: "tiny", disaggregated_params: params, ...body }, path);
    expect(steps.map(([, did]) => did)).toEqual(expected);
  });

  test("do not share what the encoder would encode otherwise, nor chats without media", async () => {
    await ask(chat([text("Hello")]));
    await ask(chat([image(PNG)], { mm_processor_kwargs: { min_pixels: 4 } }));
    expect(steps.map(([, did, media]) => [did, ...media])).toEqual([["answered"], ["answered", "image"]]);
    expect(await count("local", "unsuited")).toBe(1);
  });

  test.each([
    ["fails", { status: 500 }, "encoder_refused"],
    ["hangs", { hangBeforeHead: true }, "encoder_timeout"],
    ["answers nonsense", { garbageHttp: true }, "encoder_unusable"],
    ["does not end its answer", { endlessBody: true }, "encoder_unusable"],
  ])("if the encoder %s, the engine encodes the media itself", async (_how, faults, reason) => {
    if (reason === "encoder_timeout") await attach([encoder, engine], 300);
    encoder.setFaults(faults);
    await ask(chat([image(PNG), image(JPEG, "jpeg")]));
    expect(steps).toEqual([["engine", "answered", ["image", "image"]]]);
    expect(await count("fallback", reason)).toBe(2);
  });

  test("if the encoder is gone, the engine encodes the media itself", async () => {
    await encoder.close();
    await ask(chat([image(PNG)]));
    expect(steps).toEqual([["engine", "answered", ["image"]]]);
  });

  test("if the encoder is killed while it encodes, the engine encodes the media itself", async () => {
    encoder.setFaults({ hangBeforeHead: true });
    const asked = ask(chat([image(PNG)]));
    await expect.poll(() => encoder.requests).toContain("POST /v1/chat/completions");
    await encoder.close();
    await asked;
    expect(steps).toEqual([["engine", "answered", ["image"]]]);
    expect(await count("fallback", "encoder_lost")).toBe(1);
  });

  test("a client that leaves stops the encoder", async () => {
    encoder.setFaults({ hangBeforeHead: true });
    const abort = new AbortController();
    const leaving = fetch(`${gateway.url}/v1/chat/completions`, {
      ...post(chat([image(PNG)])),
      signal: abort.signal,
    }).catch(() => "left");
    await expect.poll(() => encoder.requests).toContain("POST /v1/chat/completions");
    abort.abort();
    expect(await leaving).toBe("left");
    await expect.poll(() => metric(gateway.url, "stator_worker_active_requests")).toBe(0);
    expect(steps).toEqual([]);
  });

  test("if the engine cannot use the handles, the request is sent again with its media", async () => {
    // As if the encoder had been restarted: its memory is gone.
    encoder.kvExports.forgets = true;
    await ask(chat([image(PNG)]));
    expect(steps.map(([, did, media]) => [did, ...media])).toEqual([
      ["encoded", "image"],
      ["answered", "image"],
    ]);
    expect(await count("local", "failed")).toBe(1);
  });
});

const post = (body: object): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

test("an encoder, a prefill and a decode engine share a request", async () => {
  encoder = await start("encoder", { role: "encode" });
  const prefill = await start("prefill", { role: "prefill" });
  const decode = await start("decode", { role: "decode" });
  await attach([encoder, { url: prefill.url, role: "prefill" }, { url: decode.url, role: "decode" }]);
  const body = chat([text(LONG), image(PNG), image(OTHER_PNG)]);
  const direct = await (await fetch(`${decode.url}/v1/chat/completions`, post(body))).text();
  steps.length = 0;
  expect(contentOf(await ask(body))).toBe(contentOf(direct));
  expect(steps).toEqual([
    ["encoder", "encoded", ["image", "image"]],
    ["prefill", "prefilled", ["embedding", "embedding"]],
    // It computes the prompt itself if the transfer fails.
    ["decode", "decoded", ["image", "image"]],
  ]);
  expect([prefill.kvExports.read, encoder.kvExports.readLate]).toEqual([1, 0]);
  prefill.setFaults({ status: 500 });
  steps.length = 0;
  await ask(chat([text(`Again. ${LONG}`), image(PNG)]));
  expect(steps.at(-1)).toEqual(["decode", "answered", ["image"]]);
});

test("an engine whose protocol has no handles encodes all media itself, which is said once", async () => {
  encoder = await start("encoder", { role: "encode" });
  await attach([encoder, await start("engine", { takesEncoded: false })]);
  for (const picture of [PNG, OTHER_PNG]) await ask(chat([image(picture)]));
  expect(steps.map(([name]) => name)).toEqual(["engine", "engine"]);
  expect(await count("local", "unsupported")).toBe(2);
  expect(said("no disaggregated_params.multimodal_embedding_handles")).toHaveLength(1);
});

test("an encoder of another kind is not asked, which is said once", async () => {
  const vllm = await startVllm({ takesMedia: true });
  opened.push(vllm);
  encoder = await start("encoder", { role: "encode" });
  await attach([encoder, vllm]);
  for (const picture of [PNG, OTHER_PNG]) await ask(chat([image(picture)]));
  expect(steps).toEqual([]);
  expect(await count("local", "other_kind")).toBe(2);
  expect(said("of another kind (tensorrt-llm) than it (vllm)")).toHaveLength(1);
});
