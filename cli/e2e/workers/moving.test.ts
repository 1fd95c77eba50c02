import { expect, test } from "vitest";
import { createLogger } from "#runtime";
import { defineTextWorker, type Engine } from "#workers";
import { stall } from "../../../scripts/testing/stall.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";
import { BYTES, COMPLETE, PROMPT, readStory, STORY, type StoryFault, Storyteller } from "./storyteller.ts";

// Answers whose workers are lost, hang or fail continue on another worker, from the tokens that the client has.

/** Positions that split a character: after the first byte of the é, and in the middle of the octopus. */
const CUTS = [26, 27, 54, 55];

/** Of two idle workers the gateway chooses the one that joined first: `one`. */
async function startTwo(
  options: Parameters<typeof startOwnGateway>[1] = {},
  card: Partial<Engine["card"]> = {},
): Promise<{ gateway: OwnGateway; one: Storyteller; two: Storyteller }> {
  const [one, two] = [new Storyteller(card), new Storyteller(card)];
  const gateway = await startOwnGateway({ one, two }, { health: { slowStartMs: 0 }, ...options });
  one.onClose = () => gateway.kill("one");
  return { gateway, one, two };
}

/** Sets the fault of the engine that gets the next request. */
function spoil(engines: readonly Storyteller[], kind: StoryFault, after: number): void {
  const fault = { kind, after, times: 1 };
  for (const engine of engines) engine.fault = fault;
}

const asked = (engines: readonly Storyteller[]) =>
  engines.flatMap((engine) => engine.asked).sort((a, b) => a - b);

test.each([0, 1, 7, ...CUTS, BYTES.length])(
  "after %i tokens, an answer whose engine fails continues",
  async (after) => {
    const { gateway, one, two } = await startTwo();
    spoil([one, two], "throw", after);
    expect(await readStory(gateway)).toMatchObject(COMPLETE);
    expect(asked([one, two])).toEqual([6, 6 + after]);
  },
);

test.each([5, 26])("after %i tokens, an answer whose worker is killed continues", async (after) => {
  const { gateway, one, two } = await startTwo();
  one.fault = { kind: "close", after, times: 1 };
  const answers = await Promise.all(Array.from({ length: 8 }, () => readStory(gateway)));
  for (const each of answers) expect(each).toMatchObject(COMPLETE);
  expect(two.asked).toContain(6 + after);
});

test("an answer whose worker goes silent continues", async () => {
  const { gateway, one, two } = await startTwo({ requestOptions: { idleMs: 200 * stall() } });
  spoil([one, two], "hang", 9);
  expect(await readStory(gateway)).toMatchObject(COMPLETE);
  // The end of the abandoned call does not count as a failure of the next worker.
  expect(gateway.logged.map(({ reason }) => reason)).toEqual([expect.stringMatching(/has sent nothing for/)]);
  expect(asked([one, two])).toEqual([6, 15]);
});

test("a stop string that spans two workers ends the answer", async () => {
  const { gateway, one, two } = await startTwo();
  spoil([one, two], "throw", STORY.indexOf("time") + 2);
  expect(await readStory(gateway, { stop: ["time"] })).toMatchObject({
    text: "Once upon a ",
    finish: "stop",
  });
});

test.each([10, 11])(
  "the tokens that an answer may have are counted over both workers (broken at %i)",
  async (after) => {
    const { gateway, one, two } = await startTwo();
    spoil([one, two], "throw", after);
    const answer = await readStory(gateway, { max_tokens: 11 });
    expect(answer).toMatchObject({ text: STORY.slice(0, 11), finish: "length", error: undefined });
    expect(answer.usage).toMatchObject({ completion_tokens: 11 });
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
  expect(await readStory(gateway, { max_tokens: 5 })).toMatchObject({
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
  expect(await readStory(limited.gateway)).toMatchObject({ text: "Once", error: { code: "worker_failed" } });
});

test("an engine that cannot continue answers is not asked to", async () => {
  const features = { logprobs: false, logitBias: false, embeddings: false, continues: false };
  const { gateway, one, two } = await startTwo({}, { features });
  spoil([one, two], "throw", 4);
  expect(await readStory(gateway)).toMatchObject({ text: "Once", error: { code: "worker_failed" } });
  spoil([one, two], "throw", 0);
  expect(await readStory(gateway)).toMatchObject(COMPLETE);
  expect(gateway.logged.map(({ reason }) => reason)).toContain("its engine cannot continue a partial answer");
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
  for (let round = 0; round < 20; round++) expect(await readStory(gateway)).toMatchObject(COMPLETE);
  expect(one.asked.length).toBe(5);
  expect(two.asked.length).toBe(20);
  expect(gateway.logged.map(({ message }) => message)).toContain("set a worker aside");
});
