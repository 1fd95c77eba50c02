import { afterAll, beforeAll, expect, test } from "vitest";
import { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { loraFile } from "../../workers/llama/lora/test-lora.ts";
import { LlamaServer } from "./llama-server.ts";

// A llama worker computes the same with a LoRA adapter as llama.cpp's own server. The two are of different releases, which
// round differently, so texts can come apart: the next token's log probabilities are compared.

const SEEDS = [1, 2];
const PROMPTS = [
  "The capital of France is",
  "Once upon a time",
  "To make bread, you need",
  "Two and two are",
  "The quick brown fox",
  "In the beginning",
];

let stator: StatorProcess;
let url: string;
let paths: string[];

beforeAll(async () => {
  const folder = temporaryFolder();
  paths = await Promise.all(SEEDS.map((seed) => loraFile(folder, { seed })));
  const loras = paths.map((path, index) => `--lora=adapter-${index}=${path}`);
  const small = ["--workers=1", "--context-length=512"];
  stator = new StatorProcess(["up", "--port=0", "--config=none", ...small, ...loras]);
  [, url = ""] = await stator.printed(/ at (http:\/\/[^\s/]+)\/v1 with /);
});

afterAll(() => stator.stop());

async function post(address: string, body: object) {
  const headers = { "content-type": "application/json" };
  return (await fetch(address, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

/** The most probable next tokens with their log probabilities. */
async function nextOf(model: string, prompt: string): Promise<Map<string, number>> {
  const body = { model, prompt, max_tokens: 1, temperature: 1, logprobs: 20 };
  const { choices } = await post(`${url}/v1/completions`, body);
  return new Map(Object.entries(choices[0].logprobs.top_logprobs[0]));
}

async function nextOfServer(server: LlamaServer, prompt: string): Promise<Map<string, number>> {
  const body = { prompt, n_predict: 1, temperature: 1, n_probs: 5, cache_prompt: false };
  const { completion_probabilities: tokens } = await post(`${server.url}/completion`, body);
  const top: { token: string; logprob: number }[] = tokens[0].top_logprobs;
  return new Map(top.map(({ token, logprob }) => [token, logprob]));
}

/** By how much the expected tokens' log probabilities are off, on average; a missing token counts as off by 5. */
function distance(found: ReadonlyMap<string, number>, expected: ReadonlyMap<string, number>): number {
  const each = Array.from(expected, ([token, logprob]) =>
    Math.abs((found.get(token) ?? logprob - 5) - logprob),
  );
  return each.reduce((sum, value) => sum + value, 0) / each.length;
}

test("a LoRA adapter computes the same as in llama.cpp's server", async () => {
  for (const [index, path] of paths.entries()) {
    const server = await LlamaServer.start("--lora", path);
    let [off, offWithout] = [0, 0];
    for (const prompt of PROMPTS) {
      const expected = await nextOfServer(server, prompt);
      off += distance(await nextOf(`adapter-${index}`, prompt), expected) / PROMPTS.length;
      offWithout += distance(await nextOf("default", prompt), expected) / PROMPTS.length;
    }
    console.log(`Off by ${off.toFixed(3)}; without the adapter by ${offWithout.toFixed(3)}.`);
    expect(off).toBeLessThan(0.2);
    expect(offWithout).toBeGreaterThan(2 * off);
    await server.kill();
  }
});
