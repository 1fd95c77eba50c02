import { afterAll, beforeAll, expect, test } from "vitest";
import { stall } from "../../../scripts/testing/stall.ts";
import { attach } from "../access/attached.ts";
import type { StatorProcess } from "../stator-process.ts";
import { StandInProcess } from "./stand-in-process.ts";
import { clientOf, streamChat } from "./streams.ts";

// Not every kind of engine can continue a partial answer; broken chats move only to those that can.

const TOKENS = 60;
const questions = Array.from({ length: 12 }, (_, index) => `Question ${index} of several`);

let vllm: StandInProcess;
let sglang: StandInProcess;
let tensorrt: StandInProcess;
let stator: StatorProcess;
let url: string;
let truth: string[];

beforeAll(async () => {
  [vllm, sglang, tensorrt] = (await Promise.all(
    ["vllm", "sglang", "tensorrt-llm"].map((kind) => StandInProcess.start(kind, "--inter-token-ms=10")),
  )) as [StandInProcess, StandInProcess, StandInProcess];
  const urls = [vllm.url, sglang.url, tensorrt.url];
  ({ stator, url } = await attach(
    urls,
    "--policy=round-robin",
    "--slow-start=0",
    `--idle-timeout=${stall()}`,
  ));
  const direct = clientOf(sglang.url);
  truth = await Promise.all(questions.map(async (each) => (await streamChat(direct, each, TOKENS)).text));
});

afterAll(async () => {
  expect(await stator.stop()).toBe(0);
});

/** Asks all questions at once; calls `disturb` when every answer has begun. */
function askAll(disturb: () => Promise<void>) {
  let begun = 0;
  let disturbed: Promise<void> | undefined;
  const answers = questions.map(async (question) => {
    let text = "";
    try {
      await streamChat(clientOf(url), question, TOKENS, (now) => {
        if (text === "" && ++begun === questions.length) disturbed = disturb();
        text = now;
      });
      return { text, error: undefined };
    } catch (error) {
      return { text, error: error as Error };
    }
  });
  return Promise.all(answers).finally(() => disturbed);
}

test("a broken chat continues on an engine that can continue it", async () => {
  const answers = await askAll(() => vllm.kill());
  expect(answers).toEqual(truth.map((text) => ({ text, error: undefined })));
});

test("a broken chat that no engine can continue ends with an error, and is never restarted", async () => {
  const answers = await askAll(() => sglang.kill());
  const broken = answers.filter(({ error }) => error !== undefined);
  expect(broken.length).toBeGreaterThan(0);
  expect(broken.length).toBeLessThan(questions.length);
  for (const [index, { text, error }] of answers.entries()) {
    if (error === undefined) expect(text).toBe(truth[index]);
    else expect(truth[index]!.startsWith(text)).toBe(true);
  }
});
