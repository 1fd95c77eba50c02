import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { metric } from "../../cli/e2e/metrics.ts";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { becomesReady } from "./losses.suite.ts";
import { chat, MediaRequests, text } from "./media-requests.ts";
import { ask, attach, eventually, freshText, metricOf } from "./setup.ts";
import { VllmServer, writeMediaFiles, writeMediaModel } from "./vllm-server.ts";

const files = temporaryFolder();
const folder = temporaryFolder();
const shared = temporaryFolder();
const media = new MediaRequests(files);
let encoder: VllmServer;
let answering: VllmServer;
let url: string;

const encodes = (place: string) => metric(url, "stator_encodes_total", { place });

beforeAll(async () => {
  writeMediaFiles(files);
  writeMediaModel("omni", folder);
  [encoder, answering] = await Promise.all([
    VllmServer.start(folder, { takesMedia: true, encoder: { role: "producer", folder: shared } }),
    VllmServer.start(folder, { takesMedia: true, encoder: { role: "consumer", folder: shared } }),
  ]);
  ({ url } = await attach([answering.url], `--encode=${encoder.url}`));
  for (const server of [encoder, answering]) await becomesReady(url, new URL(server.url).host);
});

afterAll(async () => {
  await Promise.all([encoder?.stop(), answering?.stop()]);
});

/** The answer and its log probabilities, with which weights that see tell media apart. */
async function answer(to: string, body: object) {
  const asked = await ask(to, "/v1/chat/completions", {
    ...body,
    max_tokens: 4,
    logprobs: true,
    top_logprobs: 2,
  });
  expect(asked.status, JSON.stringify(asked.json)).toBe(200);
  const { choices } = asked.json as {
    choices: { message: object; logprobs: { content: { logprob: number }[] } }[];
  };
  const [{ message, logprobs }] = choices as [(typeof choices)[0]];
  return { message, logprobs: logprobs.content.map(({ logprob }) => Number(logprob.toFixed(4))) };
}

describe("an encode engine", () => {
  test.each(["one.png", "wide.jpg", "one.wav", "one.mp4"])(
    "encodes %s once, and the answer is the same",
    async (name) => {
      const body = chat(text(freshText(20)), media.part(name), text("What is it?"));
      const other = chat(text(freshText(20)), media.part(name), text("Really?"));
      const before = await encodes("remote");
      const there = await metricOf(encoder, "vllm:request_success_total");
      const through = await answer(url, body);
      expect(await encodes("remote")).toBe(before + 1);
      expect(await metricOf(encoder, "vllm:request_success_total")).toBe(there + 1);
      await answer(url, other);
      expect(await metricOf(encoder, "vllm:request_success_total")).toBe(there + 1);
      // Without cached KV, and without the encoder.
      await fetch(`${answering.url}/reset_prefix_cache`, { method: "POST" });
      expect(await answer(answering.url, body)).toEqual(through);
    },
  );
});
