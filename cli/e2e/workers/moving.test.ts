import { expect, test } from "vitest";
import { createLogger, type GenerateRequest } from "#runtime";
import { type Delta, defineTextWorker, type Engine } from "#workers";
import { stall } from "../../../scripts/testing/stall.ts";
import { bytePieces, tokenCard, tokenizeBytes } from "../../../workers/byte-tokens.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";

// Answers whose workers are lost, hang or fail continue on another worker, from the tokens that the client has.

const PROMPT = "story:";
const STORY = "Once upon a time, in a caf\u00e9 by the sea, there lived \u{1f419} an octopus. The end.";
const BYTES = new TextEncoder().encode(STORY);
/** Positions that split a character: after the first byte of the é, and in the middle of the octopus. */
const CUTS = [26, 27, 54, 55];

/** What an engine does instead of yielding its next token. */
type Fault = "throw" | "hang" | "close";

/**
 * An engine that recites one story, a byte per token, continuing from the prompt's end. It fails after a set number of
 * tokens of a request.
 */
class Storyteller implements Engine {
  readonly card;
  readonly asked: number[] = [];
  fault: { kind: Fault; after: number; times: number } | undefined;
  onClose: () => unknown = () => {};

  constructor(card: Partial<Engine["card"]> = {}) {
    this.card = {
      name: "story",
      aliases: [],
      apis: ["chat" as const, "completions" as const],
      role: "aggregated" as const,
      contextLength: 4096,
      blockSize: 16,
      totalBlocks: 4096,
      maxBatchedTokens: 4096,
      maxSequences: 16,
      dataParallelSize: 1,
      ...tokenCard(undefined),
      chatTemplate: "{{ messages[-1].content }}",
      features: { logprobs: false, logitBias: false, embeddings: false },
      engine: { name: "story", version: "1" },
      created: 0,
      ...card,
    };
  }

  stats = () => ({ running: 0, waiting: 0, kvUsage: 0 });
  tokenize = tokenizeBytes;
  vocabulary = () => bytePieces;
  close = async () => {};

  async *generate(
    { tokens, maxTokens }: Pick<GenerateRequest, "tokens" | "maxTokens">,
    signal: AbortSignal,
  ): AsyncGenerator<Delta> {
    this.asked.push(tokens.length);
    const begin = tokens.length - PROMPT.length;
    yield { tokenIds: [], cachedTokens: 3 };
    for (let count = 0; count < maxTokens; count++) {
      if (this.fault?.after === count && this.fault.times > 0) {
        this.fault.times--;
        await this.#misbehave(this.fault.kind, signal);
      }
      await new Promise((resolve) => setImmediate(resolve));
      if (begin + count === BYTES.length) {
        yield { tokenIds: [], finish: "stop", stopToken: 256 };
        return;
      }
      const isLast = count === maxTokens - 1;
      yield { tokenIds: [BYTES[begin + count]!], ...(isLast && { finish: "length" }) };
    }
  }

  async #misbehave(kind: Fault, signal: AbortSignal): Promise<void> {
    if (kind === "throw") throw new Error("out of ideas");
    if (kind === "close") this.onClose();
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  }
}

async function startTwo(
  options: Parameters<typeof startOwnGateway>[1] = {},
  card: Partial<Engine["card"]> = {},
): Promise<{ gateway: OwnGateway; one: Storyteller; two: Storyteller }> {
  const [one, two] = [new Storyteller(card), new Storyteller(card)];
  const gateway = await startOwnGateway({ one, two }, { health: { slowStartMs: 0 }, ...options });
  one.onClose = () => gateway.kill("one");
  return { gateway, one, two };
}

interface Told {
  text: string;
  finish: string | null;
  usage: unknown;
  error: { code: string } | undefined;
}

/** Streams the story, starting on worker `one`. */
async function tell({ post }: OwnGateway, more: object = {}): Promise<Told> {
  const body = { model: "story", prompt: PROMPT, max_tokens: 500, stream: true, ...more };
  const response = await post("/v1/completions", { ...body, stream_options: { include_usage: true } });
  const told: Told = { text: "", finish: null, usage: undefined, error: undefined };
  for (const line of (await response.text()).split("\n")) {
    if (!line.startsWith("data: {")) continue;
    const { choices = [], usage, error } = JSON.parse(line.slice(6));
    if (error !== undefined) told.error = error;
    if (usage !== undefined && usage !== null) told.usage = usage;
    for (const { text, finish_reason } of choices) {
      told.text += text;
      told.finish ??= finish_reason;
    }
  }
  return told;
}

/** `one` is as idle as `two` and joined first, so the gateway chooses it. */
const TOLD = {
  text: STORY,
  finish: "stop",
  error: undefined,
  usage: { prompt_tokens: 6, completion_tokens: BYTES.length + 1, total_tokens: BYTES.length + 7 },
};

/** Sets the fault of the engine that gets the next request. */
function spoil(engines: readonly Storyteller[], kind: Fault, after: number): void {
  const fault = { kind, after, times: 1 };
  for (const engine of engines) engine.fault = fault;
}

const asked = (engines: readonly Storyteller[]) =>
  engines.flatMap((engine) => engine.asked).sort((a, b) => a - b);

test.each([0, 1, 7, ...CUTS, BYTES.length])(
  "after %i tokens, an answer whose engine fails goes on",
  async (after) => {
    const { gateway, one, two } = await startTwo();
    spoil([one, two], "throw", after);
    expect(await tell(gateway)).toMatchObject(TOLD);
    expect(asked([one, two])).toEqual([6, 6 + after]);
  },
);

test.each([5, 26])("after %i tokens, an answer whose worker is killed continues", async (after) => {
  const { gateway, one, two } = await startTwo();
  one.fault = { kind: "close", after, times: 1 };
  const told = await Promise.all(Array.from({ length: 8 }, () => tell(gateway)));
  for (const each of told) expect(each).toMatchObject(TOLD);
  expect(two.asked).toContain(6 + after);
});

test("an answer whose worker goes silent continues", async () => {
  const { gateway, one, two } = await startTwo({ requestOptions: { idleMs: 200 * stall() } });
  spoil([one, two], "hang", 9);
  expect(await tell(gateway)).toMatchObject(TOLD);
});

test("a stop string that spans two workers ends the answer", async () => {
  const { gateway, one, two } = await startTwo();
  spoil([one, two], "throw", STORY.indexOf("time") + 2);
  expect(await tell(gateway, { stop: ["time"] })).toMatchObject({ text: "Once upon a ", finish: "stop" });
});

test.each([10, 11])(
  "the tokens that an answer may have are counted over both workers (broken at %i)",
  async (after) => {
    const { gateway, one, two } = await startTwo();
    spoil([one, two], "throw", after);
    const told = await tell(gateway, { max_tokens: 11 });
    expect(told).toMatchObject({ text: STORY.slice(0, 11), finish: "length", error: undefined });
    expect(told.usage).toMatchObject({ completion_tokens: 11 });
  },
);

test("an answer that lost only its final message is completed", async () => {
  const { gateway, one, two } = await startTwo();
  // The last token has arrived, but not the message that ends the answer.
  for (const engine of [one, two]) {
    const { generate } = engine;
    engine.generate = async function* (request, signal) {
      for await (const { tokenIds } of generate.call(engine, request, signal)) yield { tokenIds };
      throw new Error("gone");
    };
  }
  expect(await tell(gateway, { max_tokens: 5 })).toMatchObject({
    text: "Once ",
    finish: "length",
    error: undefined,
  });
});

test("an answer that is not streamed continues too, with usage for all of it", async () => {
  const { gateway, one, two } = await startTwo();
  spoil([one, two], "throw", 20);
  const response = await gateway.post("/v1/chat/completions", {
    model: "story",
    messages: [{ role: "user", content: PROMPT }],
  });
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({
    choices: [{ message: { content: STORY }, finish_reason: "stop" }],
    usage: { prompt_tokens: 6, completion_tokens: BYTES.length + 1 },
  });
});

test("an answer is given up after losing two workers, or beyond --migration-limit", async () => {
  const { gateway, one, two } = await startTwo();
  for (const engine of [one, two]) engine.fault = { kind: "throw", after: 0, times: 9 };
  const given = await gateway.post("/v1/completions", { model: "story", prompt: PROMPT });
  expect(given.status).toBe(502);
  expect(asked([one, two]).length).toBe(2);

  const limited = await startTwo({ requestOptions: { migrationLimit: 0 } });
  spoil([limited.one, limited.two], "throw", 4);
  expect(await tell(limited.gateway)).toMatchObject({ text: "Once", error: { code: "worker_failed" } });
});

test("an engine that cannot continue answers is not asked to", async () => {
  const features = { logprobs: false, logitBias: false, embeddings: false, continues: false };
  const { gateway, one, two } = await startTwo({}, { features });
  spoil([one, two], "throw", 4);
  expect(await tell(gateway)).toMatchObject({ text: "Once", error: { code: "worker_failed" } });
  spoil([one, two], "throw", 0);
  expect(await tell(gateway)).toMatchObject(TOLD);
  expect(gateway.logged.map(({ reason }) => reason)).toContain(
    "its engine cannot go on with an answer that another one has begun",
  );
  const worker = defineTextWorker({ name: "text", generate: () => [] });
  const { card } = await worker.open({ options: {}, threads: 1, log: createLogger({ name: "test" }) });
  expect(card.features.continues).toBe(false);
});

test("a worker whose requests fail is set aside, and another one takes its requests", async () => {
  const pauseMs = 3_600_000;
  const requests = { consecutiveFailures: 5, firstPauseMs: pauseMs, longestPauseMs: pauseMs };
  const { gateway, one, two } = await startTwo({
    policy: "round-robin",
    health: { requests, slowStartMs: 0 },
  });
  one.fault = { kind: "throw", after: 0, times: Number.POSITIVE_INFINITY };
  for (let round = 0; round < 20; round++) expect(await tell(gateway)).toMatchObject(TOLD);
  expect(one.asked.length).toBe(5);
  expect(two.asked.length).toBe(20);
  expect(gateway.logged.map(({ message }) => message)).toContain("set a worker aside");
});
