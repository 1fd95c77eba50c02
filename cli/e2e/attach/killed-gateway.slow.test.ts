import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hasNats, startNats } from "../../../runtime/testing/nats-server.ts";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { attach } from "../access/attached.ts";
import { eventsUntil } from "../workers/streams.ts";
import { ScriptedEngine } from "./scripted-engine.ts";

// A gateway is killed while another one streams what it makes.

const BEFORE = 20;

let engine: ScriptedEngine;
const server = hasNats ? await startNats() : undefined;

/** Begins an answer that never ends. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url !== "/v1/chat/completions") {
    response.writeHead(404).end();
    return;
  }
  await text(request);
  response.writeHead(200, { "content-type": "text/event-stream" });
  const common = { id: "c", object: "chat.completion.chunk", created: 1, model: "tiny" };
  for (let index = 0; index < BEFORE; index++) {
    const choices = [{ index: 0, delta: { content: `${index} ` }, finish_reason: null }];
    response.write(`data: ${JSON.stringify({ ...common, choices })}\n\n`);
  }
}

beforeAll(async () => {
  engine = await ScriptedEngine.start("tiny", answer);
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const post = (url: string, path: string, body: object, headers: Record<string, string> = {}) =>
  fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "tiny", stream: true, ...body }),
  });

const STORES = [
  ["a folder", () => `file:${temporaryFolder()}`],
  ...(server === undefined ? [] : [["NATS", () => `nats://${server.host}`] as const]),
] as const;

test.each(STORES)(
  "streams of a killed gateway end with an error at another one (%s)",
  { timeout: 120_000 },
  async (_, place) => {
    const store = `--responses-store=${place()}`;
    const [one, two] = [await attach([engine.url], store), await attach([engine.url], store)];
    const chat = { messages: [{ role: "user", content: "Hi" }] };
    const begun = await post(one.url, "/v1/chat/completions", chat, { "x-stator-resumable": "true" });
    const [first] = await eventsUntil(begun, 1);
    const lastId = /^id: (.*)$/m.exec(first!)![1]!;
    const created = await post(one.url, "/v1/responses", { input: "Hi", background: true, stream: false });
    const { id } = await created.json();
    const following = [
      fetch(`${two.url}/v1/chat/completions`, { headers: { "last-event-id": lastId } }),
      fetch(`${two.url}/v1/responses/${id}?stream=true`),
    ];
    const streams = (await Promise.all(following)).map((response) => {
      expect(response.status).toBe(200);
      return response.text();
    });
    one.stator.signal("SIGKILL");
    await one.stator.ended();
    const [chunks, events] = await Promise.all(streams);
    expect(chunks!.match(/"delta":/g)).toHaveLength(BEFORE - 1);
    expect(chunks).toMatch(/data: \{"error":\{[^\n]*has ended[^\n]*\n\n(data: \[DONE\]\n\n)?$/);
    expect(events!.match(/event: response\.output_text\.delta/g)).toHaveLength(BEFORE);
    expect(events!.trimEnd().split("\n\n").at(-1)).toMatch(/^event: (error|response\.failed)\n.*has ended/s);
    const failed = await (await fetch(`${two.url}/v1/responses/${id}`)).json();
    expect(failed).toMatchObject({ status: "failed", error: { code: "server_error" } });
    expect(await two.stator.stop()).toBe(0);
  },
);

test.each(STORES)(
  "what a suspended gateway makes is cancelled and deleted at another one (%s)",
  { timeout: 120_000 },
  async (_, place) => {
    const store = `--responses-store=${place()}`;
    const [one, two] = [await attach([engine.url], store), await attach([engine.url], store)];
    const make = async () => {
      const made = await post(one.url, "/v1/responses", { input: "Hi", background: true, stream: false });
      return `${two.url}/v1/responses/${(await made.json()).id}`;
    };
    const [cancelled, deleted] = [await make(), await make()];
    one.stator.signal("SIGSTOP");
    const answer = await fetch(`${cancelled}/cancel`, { method: "POST" });
    // A gateway that NATS finds silent counts as dead.
    const { status } = await answer.json();
    expect([answer.status, ["cancelled", "failed"].includes(status)]).toEqual([200, true]);
    expect((await fetch(deleted, { method: "DELETE" })).status).toBe(200);
    one.stator.signal("SIGCONT");
    expect(await one.stator.stop()).toBe(0);
    expect(await (await fetch(cancelled)).json()).toMatchObject({ status });
    expect((await fetch(deleted)).status).toBe(404);
    expect(await two.stator.stop()).toBe(0);
  },
);
