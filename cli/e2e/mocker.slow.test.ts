import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { expect, onTestFinished, test } from "vitest";
import { metric, until } from "./metrics.ts";
import { StatorProcess, startUp } from "./stator-process.ts";

test("without KV routing, workers are chosen in turn or by load", async () => {
  const folder = mkdtempSync(join(tmpdir(), "stator-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const common = [`--discovery=file:${folder}`, "--config=none"];
  const mocker = new StatorProcess(["worker", "mocker", "--workers=3", "--speedup=0", ...common]);
  for (const policy of ["round-robin", "least-loaded", "random", "power-of-two"]) {
    const gateway = new StatorProcess(["gateway", "--port=0", `--policy=${policy}`, ...common]);
    const [, url] = await gateway.printed(/(http:\/\/127\.0\.0\.1:\d+)/);
    await until(async () => (await metric(url!, "stator_worker_ready")) === 3);
    // The model is ready a moment after its workers, once its tokenizer is loaded.
    await until(async () => (await fetch(`${url}/health`)).ok);
    const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
    const workers: (string | null)[] = [];
    for (let count = 0; count < 6; count++) {
      const { response } = await openai.completions
        .create(
          { model: "mocker", prompt: "the same", max_tokens: 1 },
          { headers: { "x-stator-explain": "true" } },
        )
        .withResponse();
      workers.push(response.headers.get("x-stator-worker"));
    }
    expect(workers.every((worker) => /^mocker-[0-2]$/.test(worker ?? ""))).toBe(true);
    if (policy === "round-robin") expect(workers.slice(3)).toEqual(workers.slice(0, 3));
    if (policy === "round-robin") expect(new Set(workers).size).toBe(3);
    expect(await gateway.stop()).toBe(0);
  }
  expect(await mocker.stop()).toBe(0);
});

test("conversations stay on the mock worker that holds them, and the router's predictions are right", async () => {
  const stator = startUp(
    "--engine=mocker",
    "--workers=3",
    "--speedup=0",
    "--block-size=16",
    "--context-length=8192",
  );
  const url = await stator.url();
  const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
  let stored = 0;
  const send = async (prompt: string) => {
    const { data, response } = await openai.completions
      .create({ model: "mocker", prompt, max_tokens: 32 }, { headers: { "x-stator-explain": "true" } })
      .withResponse();
    const cached = data.usage!.prompt_tokens_details!.cached_tokens!;
    // The events of this answer arrive separately.
    stored += Math.floor((prompt.length + 31) / 16) - cached / 16;
    await until(async () => (await metric(url, "stator_worker_stored_blocks")) === stored);
    return {
      worker: response.headers.get("x-stator-worker")!,
      predicted: Number(response.headers.get("x-stator-overlap-blocks")) * 16,
      cached,
      text: prompt + data.choices[0]!.text,
    };
  };
  const homes = new Set<string>();
  for (let conversation = 0; conversation < 6; conversation++) {
    let turn = await send(`Conversation ${conversation}: `.repeat(10));
    const home = turn.worker;
    homes.add(home);
    for (let count = 0; count < 3; count++) {
      turn = await send(`${turn.text} And then?`);
      expect(turn.worker).toBe(home);
      expect(turn.predicted).toBe(turn.cached);
      expect(turn.cached).toBeGreaterThan(150);
    }
  }
  expect(homes.size).toBe(3);
  expect(await stator.stop()).toBe(0);
});
