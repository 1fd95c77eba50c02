import type OpenAI from "openai";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Faults } from "#stand-ins";
import { StatorProcess } from "../stator-process.ts";
import { StandInProcess } from "./stand-in-process.ts";
import { clientOf, streamChat } from "./streams.ts";

// Three engines, of which one does what it should not while 64 streams run: no client sees an error, and each answer
// is what an undisturbed engine says.

const STREAMS = 64;
const TOKENS = 40;

let engines: StandInProcess[];
let stator: StatorProcess;
let openai: OpenAI;
/** What each question's answer is. */
const truth = new Map<string, string>();
const questions = Array.from({ length: STREAMS }, (_, index) => `Question ${index} of many`);

beforeAll(async () => {
  engines = await Promise.all(
    Array.from({ length: 3 }, () =>
      StandInProcess.start("vllm", "--inter-token-ms=10", "--kv-port=0", "--replay-port=0"),
    ),
  );
  const direct = clientOf(engines[0]!.url);
  await Promise.all(
    questions.map(async (question) => truth.set(question, (await streamChat(direct, question, TOKENS)).text)),
  );
}, 60_000);

beforeEach(async () => {
  stator = new StatorProcess([
    "attach",
    ...engines.map(({ url }) => url),
    "--port=0",
    "--config=none",
    "--policy=round-robin",
    "--idle-timeout=0.5",
    "--first-token-timeout=1",
    "--health-interval=0.2",
  ]);
  const [, url] = await stator.printed(/Ask them at (http:\S+)\/v1/);
  openai = clientOf(url!);
});

afterEach(async () => {
  await stator.stop();
});

/** Runs all streams; `disturb` is called once when half of them have begun to be answered. */
async function runAll(disturb: () => Promise<void>): Promise<void> {
  let begun = 0;
  let disturbed: Promise<void> | undefined;
  const answers = questions.map(async (question) => {
    let hasBegun = false;
    const answer = await streamChat(openai, question, TOKENS, () => {
      if (hasBegun) return;
      hasBegun = true;
      if (++begun === STREAMS / 2) disturbed = disturb();
    });
    expect(answer.text, question).toBe(truth.get(question));
    expect(answer.finishReason).toBe("length");
    expect(answer.ids.size).toBe(1);
    expect(answer.usage?.completion_tokens).toBe(TOKENS);
  });
  await Promise.all(answers);
  await disturbed;
}

describe("64 streams over three engines", () => {
  test("lose nothing when one engine is killed, 20 times in a row", { timeout: 240_000 }, async () => {
    for (let round = 0; round < 20; round++) {
      const victim = engines[round % engines.length]!;
      await runAll(() => victim.kill());
      await victim.restart();
      await ready(engines.length);
    }
  });

  const faults: [string, Partial<Faults>][] = [
    ["hangs in the middle of its answers", { hangAfterTokens: 10 }],
    ["hangs before its answers", { hangBeforeHead: true }],
    ["answers what is not HTTP", { garbageHttp: true }],
    ["puts garbage into its streams", { garbageSse: true }],
    ["closes each connection after one chunk", { closeAfterChunks: 1 }],
    ["sends a gigabyte", { endlessBody: true }],
    ["answers every request with 500", { status: 500, share: 1 }],
    ["answers half of the requests with 503", { status: 503, share: 0.5 }],
  ];
  test.each(faults)("lose nothing while one engine %s", { timeout: 60_000 }, async (_what, fault) => {
    const [victim] = engines;
    await victim!.faults(fault);
    await runAll(async () => {});
    await victim!.faults({});
  });
});

/** Until the gateway can send requests to so many engines. */
async function ready(count: number): Promise<void> {
  for (;;) {
    const response = await fetch(`${openai.baseURL.replace("/v1", "")}/health`);
    const health = (await response.json()) as { models: { workers: { status: string }[] }[] };
    const states = health.models.flatMap(({ workers }) => workers.map(({ status }) => status));
    if (states.filter((status) => status === "ready").length === count) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
