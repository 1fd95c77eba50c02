import { type ClientRequest, request } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { attach } from "../../cli/e2e/access/attached.ts";
import type { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { startOwnGateway } from "../../cli/e2e/workers/own-gateway.ts";
import { Seer } from "../../cli/e2e/workers/seer.ts";
import { PNG } from "../../gateway/media/test-media.ts";
import { type StandIn, startVllm } from "../../stand-ins/index.ts";
import { Nginx } from "./nginx.ts";
import { Tap } from "./tap.ts";

// Large pictures through nginx, before the gateway and between it and an engine: with `proxy_request_buffering on`, it has
// the whole body before it connects; with `off`, it sends what it has, and must hear an answer that comes before the end.

const BODY_LIMIT = 26 * 1024 * 1024;
const BIG = ["client_max_body_size 100m", "proxy_http_version 1.1"];
const MODES = ["on", "off"] as const;
type Mode = (typeof MODES)[number];
const nginxOf = async (upstream: string, mode: Mode) =>
  Nginx.start(upstream, [...BIG, `proxy_request_buffering ${mode}`]);

let engine: StandIn;
let tap: Tap;
let stator: StatorProcess;
const proxies: Nginx[] = [];
/** Addresses by what is asked there, then by nginx's mode. */
const urls: Record<"engines" | "workers", Record<Mode, string>> = {
  engines: { on: "", off: "" },
  workers: { on: "", off: "" },
};
const seer = new Seer("tiny");

beforeAll(async () => {
  engine = await startVllm({ takesMedia: true });
  tap = await Tap.start(engine.url);
  const before = await Promise.all(MODES.map((mode) => nginxOf(tap.url, mode)));
  const flags = ["--policy=round-robin", "--slow-start=0"];
  const attached = await attach(
    before.map(({ url }) => url),
    ...flags,
  );
  stator = attached.stator;
  const own = await startOwnGateway({ seer }, { bodyLimit: BODY_LIMIT });
  proxies.push(...before);
  for (const mode of MODES) {
    const [engines, workers] = await Promise.all([nginxOf(attached.url, mode), nginxOf(own.url, mode)]);
    proxies.push(engines, workers);
    urls.engines[mode] = engines.url;
    urls.workers[mode] = workers.url;
  }
});

beforeEach(() => {
  seer.requests.length = 0;
});

afterAll(async () => {
  expect(await stator.stop()).toBe(0);
  await Promise.all(proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
  await tap[Symbol.asyncDispose]();
  await engine.close();
});

/** A PNG of so many bytes in base64, unlike all others: decoders ignore what is behind it. */
function picture(bytes: number, seed: number): string {
  const data = Buffer.alloc(Math.ceil((bytes * 3) / 4));
  Buffer.from(PNG, "base64").copy(data);
  for (let at = data.length - 1, x = seed; at >= 200; at--) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) | 0;
    data[at] = x >>> 16;
  }
  return data.toString("base64");
}

const chatWith = (base64: string, more: object = {}) =>
  JSON.stringify({
    model: "tiny",
    max_tokens: 8,
    messages: [
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url: `data:image/png;base64,${base64}` } },
          { type: "text", text: "What is it?" },
        ],
      },
    ],
    ...more,
  });

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
}

/** How a body travels: with its length, or in chunks of so many bytes. */
type Travel = "length" | number;

/** Sends a body as browsers and SDKs do: it is written whatever comes back meanwhile. */
function send(url: string, body: string, travel: Travel, headers = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const bytes = Buffer.from(body);
  const outgoing = request(
    `${url}/v1/chat/completions`,
    {
      method: "POST",
      agent: false,
      headers: {
        "content-type": "application/json",
        ...(travel === "length" && { "content-length": bytes.length }),
        ...headers,
      },
    },
    async (response) => {
      try {
        resolve({ status: response.statusCode, body: await text(response) });
      } catch (error) {
        reject(error);
      }
    },
  );
  outgoing.on("error", reject);
  if (travel === "length") outgoing.end(bytes);
  else void writeSlowly(outgoing, bytes, travel);
  return promise;
}

async function writeSlowly(outgoing: ClientRequest, bytes: Buffer, step: number): Promise<void> {
  const drained = () => new Promise((go) => outgoing.once("drain", go));
  const closed = new Promise((go) => outgoing.once("close", go));
  for (let at = 0; at < bytes.length && !outgoing.destroyed; at += step)
    if (!outgoing.write(bytes.subarray(at, at + step))) await Promise.race([drained(), closed]);
  outgoing.end();
}

const SIZES = [10_000, 300_000, 20_000_000];
const TRAVELS: readonly Travel[] = ["length", 64_000];

test("an engine's nginx that refuses a large body has its refusal passed on, and the engine stays in use", async () => {
  await using small = await Nginx.start(tap.url);
  const { stator: other, url } = await attach([small.url]);
  for (const travel of TRAVELS)
    for (const stream of [false, true]) {
      const { status, body } = await send(url, chatWith(picture(20_000_000, 1), { stream }), travel);
      expect(status, body.slice(0, 500)).toBe(413);
      const { status: next } = await send(url, chatWith(picture(10_000, 2), { stream }), travel);
      expect(next).toBe(200);
    }
  expect(await other.stop()).toBe(0);
});

describe.each(MODES)("with proxy_request_buffering %s", (mode) => {
  test.each(TRAVELS)("engines get pictures of any size as they are, sent by %s", async (travel) => {
    for (const [index, size] of SIZES.entries())
      for (const stream of [false, true]) {
        const base64 = picture(size, index + 1);
        const before = tap.bodies.length;
        const { status, body } = await send(urls.engines[mode], chatWith(base64, { stream }), travel);
        expect(status, body.slice(0, 300)).toBe(200);
        expect(body).toMatch(stream ? /\ndata: \[DONE\]\n\n$/ : /^\{.*\}$/);
        const [forwarded, ...others] = tap.bodies.slice(before);
        expect(others).toEqual([]);
        expect(forwarded!.includes(`"data:image/png;base64,${base64}"`)).toBe(true);
      }
  });

  test.each(TRAVELS)("workers get pictures of any size as they are, sent by %s", async (travel) => {
    for (const [index, size] of SIZES.entries())
      for (const stream of [false, true]) {
        const base64 = picture(size, index + 1);
        const { status, body } = await send(
          urls.workers[mode],
          chatWith(base64, { stream, max_tokens: 100 }),
          travel,
        );
        expect(status, body.slice(0, 300)).toBe(200);
        expect(Buffer.from(seer.seen[0]!.data).toString("base64") === base64).toBe(true);
      }
  });

  test("the first event of an answer comes at once", async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    seer.gate = gate;
    const response = await fetch(`${urls.workers[mode]}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: chatWith(picture(5_000_000, 9), { stream: true, max_tokens: 100 }),
    });
    const reader = response.body!.getReader();
    let got = "";
    while (!got.includes("What is it?")) got += new TextDecoder().decode((await reader.read()).value);
    expect(got).not.toContain("[DONE]");
    open();
    for (let read = await reader.read(); !read.done; read = await reader.read())
      got += new TextDecoder().decode(read.value);
    expect(got).toContain("[DONE]");
  });

  test.each(TRAVELS)("a body over the limit is refused with 413, sent by %s", async (travel) => {
    const body = chatWith(picture(40_000_000, 1));
    for (const who of ["engines", "workers"] as const) {
      const answer = await send(urls[who][mode], body, travel);
      expect(answer.status, answer.body.slice(0, 300)).toBe(413);
      expect(JSON.parse(answer.body)).toMatchObject({ error: { code: "body_too_large" } });
    }
  });

  test.each(TRAVELS)(
    "what is refused before its body was read reaches the client, sent by %s",
    async (travel) => {
      const body = chatWith(picture(20_000_000, 1));
      for (const who of ["engines", "workers"] as const)
        for (const [headers, status] of [
          [{ "content-type": "text/plain" }, 415],
          [{ "content-encoding": "gzip" }, 415],
        ] as const)
          expect(await send(urls[who][mode], body, travel, headers)).toMatchObject({ status });
    },
  );

  test.each(TRAVELS)("a medium that is none is refused with 400, sent by %s", async (travel) => {
    const base64 = picture(20_000_000, 1);
    for (const bad of [`${base64.slice(0, -5000)}*${base64.slice(-5000)}`, base64.slice(1000)])
      for (const who of ["engines", "workers"] as const) {
        const { status, body } = await send(urls[who][mode], chatWith(bad), travel);
        expect(status).toBe(400);
        expect(JSON.parse(body)).toMatchObject({
          error: { code: "invalid_media", param: "messages[0].content[0].image_url" },
        });
      }
  });
});
