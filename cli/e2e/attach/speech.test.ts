import { afterAll, beforeAll, expect, test } from "vitest";
import { type Faults, type StandIn, startVllm } from "#stand-ins";
import { ask, attach } from "../access/attached.ts";
import { metric, until } from "../metrics.ts";
import type { StatorProcess } from "../stator-process.ts";
import { clientOf, streamChat } from "./streams.ts";

// The same stream in every encoding that HTTP and event streams allow: it passes unchanged, is requested once, and
// continues elsewhere when it breaks.

type Speech = Partial<Faults["speech"]>;

const TOKENS = 24;

let engines: StandIn[];
let stator: StatorProcess;
let url: string;

beforeAll(async () => {
  engines = await Promise.all([startVllm(), startVllm()]);
  const flags = ["--policy=round-robin", "--slow-start=0"];
  ({ stator, url } = await attach(
    engines.map((engine) => engine.url),
    ...flags,
  ));
});

afterAll(async () => {
  expect(await stator.stop()).toBe(0);
  await Promise.all(engines.map((engine) => engine.close()));
});

const SPEECHES: [string, Speech][] = [
  ["as usual", {}],
  ["with several tokens in each event", { tokensPerEvent: 5 }],
  ["with spaces in its JSON", { isSpaced: true }],
  ["with two spaces behind the colon", { field: "data:  " }],
  ["without a space behind the colon", { field: "data:" }],
  ["in several lines of data", { isInLines: true, lineEnd: "\r\n" }],
  ["in lines that end with CR", { lineEnd: "\r", isInLines: true }],
  ["with comments, unknown fields and empty data", { isChatty: true }],
  ["with a byte order mark", { hasByteOrderMark: true }],
  ["in chunks of 7 bytes", { chunkBytes: 7 }],
  ["in chunks of 700 bytes", { chunkBytes: 700, isChatty: true, lineEnd: "\r\n" }],
  ["with a length", { framing: "length" }],
  ["until the connection ends", { framing: "close" }],
  ["until the connection ends, without [DONE]", { framing: "close", hasDone: false }],
  ["without [DONE]", { hasDone: false }],
  ["compressed", { isZipped: true, framing: "length" }],
];

async function speak(speech: Speech, ...faults: Partial<Faults>[]): Promise<void> {
  for (const [index, engine] of engines.entries())
    await ask(`${engine.url}/stand-in/faults`, { json: { ...faults[index], speech } });
}

async function stream(base: string): Promise<string> {
  const json = { model: "tiny", prompt: "Once", max_tokens: TOKENS, stream: true, ignore_eos: true };
  const response = await fetch(`${base}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-request-id": "r1" },
    body: JSON.stringify(json),
  });
  expect(response.status).toBe(200);
  // When each of the two answers began.
  return (await response.text()).replace(/"created": ?\d+/g, '"created":0');
}

const asked = () =>
  engines.flatMap(({ requests }) => requests).filter((each) => each.startsWith("POST /v1/")).length;

test.each(SPEECHES)("a stream written %s passes unchanged, and is requested once", async (_how, speech) => {
  await speak(speech);
  const truth = await stream(engines[0]!.url);
  const before = asked();
  for (const _ of engines) expect(await stream(url)).toBe(truth);
  expect(asked() - before).toBe(engines.length);
});

/** The encodings that the OpenAI SDK, which needs `data: [DONE]` and JSON, can read too. */
const BREAKABLE = SPEECHES.filter(
  ([, { framing, isZipped, isChatty, field }]) =>
    framing !== "length" && !isZipped && !isChatty && field !== "data:  ",
);

test.each(BREAKABLE)(
  "a chat written %s continues elsewhere when it breaks, without exceeding max_tokens",
  async (_how, speech) => {
    await speak({ tokensPerEvent: speech.tokensPerEvent ?? 1 });
    const truth = await streamChat(clientOf(engines[0]!.url), "Hello", TOKENS);
    // The first one breaks.
    await speak(speech, { closeAfterChunks: 3 }, {});
    for (const _ of engines) {
      const answer = await streamChat(clientOf(url), "Hello", TOKENS);
      expect(answer.text).toBe(truth.text);
      expect(answer.usage).toMatchObject({
        completion_tokens: TOKENS,
        prompt_tokens: truth.usage!.prompt_tokens,
      });
    }
  },
);

test("an answer without usage is counted by its tokens, however many each event has", async () => {
  for (const tokensPerEvent of [1, 5, 24]) {
    await speak({ tokensPerEvent });
    const before = await outputTokens();
    await stream(url);
    // It is counted after the answer's end.
    await until(async () => (await outputTokens()) > before);
    const counted = (await outputTokens()) - before;
    // If every event is a token, the final event may count too.
    expect(counted).toBeGreaterThanOrEqual(TOKENS);
    expect(counted).toBeLessThanOrEqual(TOKENS + 1);
  }
});

const outputTokens = () => metric(url, "stator_output_tokens_total", { model: "tiny" });
