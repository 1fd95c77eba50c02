import { afterAll, beforeAll, expect, test } from "vitest";
import { ask, attach } from "../../cli/e2e/access/attached.ts";
import { clientOf, streamChat } from "../../cli/e2e/attach/streams.ts";
import type { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { type Faults, type StandIn, startVllm } from "../../stand-ins/index.ts";
import { Nginx } from "./nginx.ts";

// nginx with its defaults between the gateway and its engines: it speaks HTTP/1.0 to them, buffers their answers, and
// rechunks them. None of this must have visible effects.

const TOKENS = 24;

let engines: StandIn[];
let proxies: Nginx[];
let stator: StatorProcess;
let url: string;

beforeAll(async () => {
  engines = await Promise.all([startVllm(), startVllm()]);
  proxies = await Promise.all(engines.map((engine) => Nginx.start(engine.url)));
  const urls = proxies.map((proxy) => proxy.url);
  ({ stator, url } = await attach(urls, "--policy=round-robin", "--slow-start=0"));
});

afterAll(async () => {
  expect(await stator.stop()).toBe(0);
  await Promise.all(proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
  await Promise.all(engines.map((engine) => engine.close()));
});

async function speak(speech: Partial<Faults["speech"]>, ...faults: Partial<Faults>[]): Promise<void> {
  for (const [index, engine] of engines.entries())
    await ask(`${engine.url}/stand-in/faults`, { json: { ...faults[index], speech } });
}

async function complete(base: string, stream: boolean): Promise<string> {
  const response = await fetch(`${base}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-request-id": "r1" },
    body: JSON.stringify({ model: "tiny", prompt: "Once", max_tokens: TOKENS, ignore_eos: true, stream }),
  });
  expect(response.status).toBe(200);
  return (await response.text()).replace(/"created":\d+/g, '"created":0');
}

const asked = () =>
  engines.flatMap(({ requests }) => requests).filter((each) => each.startsWith("POST /v1/")).length;

test.each([
  ["events of a few bytes", {}],
  ["events of 20 KB", { paddingBytes: 20_000 }],
  ["events of 20 KB with CRLF line endings", { paddingBytes: 20_000, lineEnd: "\r\n" as const }],
  ["events without [DONE]", { hasDone: false }],
])("%s pass unchanged, and each request is sent once", async (_what, speech) => {
  await speak(speech);
  for (const stream of [true, false]) {
    const truth = await complete(engines[0]!.url, stream);
    const before = asked();
    for (let index = 0; index < 4; index++) expect(await complete(url, stream)).toBe(truth);
    expect(asked() - before).toBe(4);
  }
});

test.each([0, 20_000])(
  "a broken chat is continued on another engine, with events of %i more bytes",
  async (paddingBytes) => {
    await speak({ paddingBytes });
    const truth = await streamChat(clientOf(engines[0]!.url), "Hello", TOKENS);
    await speak({ paddingBytes }, { closeAfterChunks: 5 }, {});
    for (let index = 0; index < 4; index++)
      expect((await streamChat(clientOf(url), "Hello", TOKENS)).text).toBe(truth.text);
  },
);
