import type { IncomingMessage, ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { ScriptedEngine } from "../attach/scripted-engine.ts";
import { accessWith } from "./keys-of.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";
import { Reciter, THINKER_TEMPLATE } from "./reciter.ts";
import { eventsUntil, randomOf } from "./streams.ts";

/** How often a client is cut off: more often in `npm run test:slow`. */
const CUTS = Number(process.env.FUZZ_RUNS ?? 100);
/** The most events between two cuts. */
const MOST = 5;
/** Ten events or more each time. */
const TEXT = `<think>\nHm.\n</think>\n\n${"Text, é😀. ".repeat((CUTS * MOST) / 10)}`;
const EVENTS = CUTS * MOST;
const KEYS = ["sk-one", "sk-two"];

/** An engine that streams, with ids of its own. */
let engine: ScriptedEngine;
let asked = 0;
const reciter = new Reciter("qwen3-thinker", { chatTemplate: THINKER_TEMPLATE });
reciter.script = [TEXT];

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  await json(request);
  asked++;
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (let index = 0; index < EVENTS; index++) {
    const choices = [
      { index: 0, delta: { content: `${index} é😀 ` }, finish_reason: index === EVENTS - 1 ? "stop" : null },
    ];
    response.write(
      `id: ${index}\r\ndata: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", choices })}\r\n\r\n`,
    );
    await new Promise((resolve) => setImmediate(resolve));
  }
  response.end("data: [DONE]\r\n\r\n");
}

/** Two gateways that share a folder; only the first one has engines. */
let gateways: OwnGateway[];

beforeAll(async () => {
  engine = await ScriptedEngine.start("tiny", answer);
  const options = { responsesStore: `file:${temporaryFolder()}`, access: await accessWith(KEYS) };
  const first = await startOwnGateway({ reciter }, { ...options, engines: [{ url: engine.url }] });
  gateways = [first, await startOwnGateway({}, options)];
});

afterAll(() => engine[Symbol.asyncDispose]());

/** Sends a chat, or resumes one. */
function send(
  gateway: OwnGateway,
  model: string,
  headers: Record<string, string>,
  key = KEYS[0],
): Promise<Response> {
  const body = { model, stream: true, messages: [{ role: "user", content: "Hi" }] };
  return fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}`, ...headers },
    body: JSON.stringify(body),
  });
}

const idIn = (event: string) => /^id: (.*)$/m.exec(event)![1]!;

describe.each([
  ["a worker", "qwen3-thinker", () => reciter.prompts.length],
  ["an attached engine", "tiny", () => asked],
])("A resumable stream of %s", (_, model, requests) => {
  test("is the same in pieces, from any gateway, and the engine saw one request", {
    timeout: 480_000,
  }, async () => {
    const before = requests();
    const random = randomOf(3);
    const pieces = await eventsUntil(await send(gateways[0]!, model, { "x-stator-resumable": "true" }), 2);
    const last = () => ({ "last-event-id": idIn(pieces.at(-1)!) });
    for (let cut = 0; cut < CUTS; cut++) {
      const response = await send(gateways[cut % 2]!, model, last());
      pieces.push(...(await eventsUntil(response, 1 + Math.floor(random() * MOST))));
      expect(pieces.at(-1)).not.toContain("[DONE]");
    }
    const rest = await send(gateways[1]!, model, last());
    pieces.push(...(await eventsUntil(rest, Number.POSITIVE_INFINITY)));
    expect(pieces.at(-1)).toContain("[DONE]");
    const [first] = pieces;
    const start = { "last-event-id": idIn(first!) };
    const whole = [
      first,
      ...(await eventsUntil(await send(gateways[1]!, model, start), Number.POSITIVE_INFINITY)),
    ];
    expect(pieces).toEqual(whole);
    expect(new Set(whole.map((event) => idIn(event!))).size).toBe(whole.length);
    expect(requests()).toBe(before + 1);
  });

  test("belongs to its key", async () => {
    const [first] = await eventsUntil(await send(gateways[0]!, model, { "x-stator-resumable": "true" }), 1);
    const headers = { "last-event-id": idIn(first!) };
    const refused = await send(gateways[1]!, model, headers, KEYS[1]);
    expect(refused.status).toBe(404);
    expect((await refused.json()).error).toMatchObject({ code: "stream_not_found", param: "last-event-id" });
    const resumed = await fetch(`${gateways[1]!.url}/v1/chat/completions`, {
      headers: { ...headers, authorization: `Bearer ${KEYS[0]}` },
    });
    expect((await eventsUntil(resumed, Number.POSITIVE_INFINITY)).at(-1)).toContain("[DONE]");
  });

  test("belongs to its path", async () => {
    const [first] = await eventsUntil(await send(gateways[0]!, model, { "x-stator-resumable": "true" }), 1);
    const headers = { "last-event-id": idIn(first!), authorization: `Bearer ${KEYS[0]}` };
    for (const path of ["/v1/completions", "/v1/responses", "/v1/messages"]) {
      const refused = await fetch(gateways[1]!.url + path, { headers });
      expect([path, refused.status]).toEqual([path, 404]);
    }
  });

  test("is not begun again for a damaged id", async () => {
    const before = requests();
    const refused = await send(gateways[0]!, model, { "last-event-id": "strm_0123456789abcdef" });
    expect(refused.status).toBe(404);
    expect((await refused.json()).error).toMatchObject({ code: "stream_not_found" });
    expect(requests()).toBe(before);
  });

  test("is refused if the header says neither yes nor no", async () => {
    const refused = await send(gateways[0]!, model, { "x-stator-resumable": "maybe" });
    expect(refused.status).toBe(400);
    expect((await refused.json()).error).toMatchObject({
      param: "x-stator-resumable",
      code: "invalid_value",
    });
  });

  test("is an ordinary one if nobody asks for more", async () => {
    const [first] = await eventsUntil(await send(gateways[0]!, model, {}), 1);
    expect(first).not.toContain("strm_");
  });
});

test("A request that fails gets its error, not a stream", async () => {
  const response = await send(gateways[0]!, "unknown", { "x-stator-resumable": "true" });
  expect(response.status).toBe(404);
  expect((await response.json()).error.code).toBe("model_not_found");
});

test("A GET that resumes nothing is refused", async () => {
  const response = await fetch(`${gateways[0]!.url}/v1/chat/completions`, {
    headers: { authorization: `Bearer ${KEYS[0]}` },
  });
  expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
});
