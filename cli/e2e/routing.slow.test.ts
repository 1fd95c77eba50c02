import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { metric, until } from "./metrics.ts";
import { type StatorProcess, startUp } from "./stator-process.ts";

/** Routing by the KV events of real workers. */
let stator: StatorProcess;
let url: string;
let openai: OpenAI;

beforeAll(async () => {
  stator = startUp("--log-level=debug");
  url = await stator.url();
  openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
});

afterAll(async () => {
  expect(await stator.stop()).toBe(0);
});

const model = "default";

/** A text of about four tokens per item that shares no prefix with any other. */
const longText = (seed: string, items: number) =>
  Array.from({ length: items }, (_, index) => `${seed} item ${index};`).join(" ");

async function send(prompt: string, headers: Record<string, string> = {}) {
  const { data, response } = await openai.completions
    .create(
      { model, prompt, max_tokens: 1, temperature: 0 },
      { headers: { "x-stator-explain": "true", ...headers } },
    )
    .withResponse();
  return {
    worker: response.headers.get("x-stator-worker")!,
    overlap: Number(response.headers.get("x-stator-overlap-blocks")),
    blocks: Number(response.headers.get("x-stator-prompt-blocks")),
    usage: data.usage!,
  };
}

/** Waits for the worker's KV events, which arrive separately from its answer. */
const holds = (worker: string, blocks: number) =>
  until(async () => (await metric(url, "stator_worker_stored_blocks", { worker })) >= blocks);

describe("kv routing", () => {
  test("a prompt with the same 300-token prefix goes to its holder, and reports cached tokens", async () => {
    const prefix = longText("alpha", 75);
    const first = await send(`${prefix} one`);
    expect(first.usage.prompt_tokens).toBeGreaterThan(300);
    expect(first.usage.prompt_tokens_details!.cached_tokens).toBe(0);
    await holds(first.worker, 18);
    for (const end of ["two", "three", "four"]) {
      const next = await send(`${prefix} ${end}`);
      expect(next.worker).toBe(first.worker);
      expect(next.overlap).toBeGreaterThanOrEqual(18);
      // The router's prediction is what the engine found, except for tokens beyond the last whole block.
      const cached = next.usage.prompt_tokens_details!.cached_tokens!;
      expect(cached).toBeGreaterThanOrEqual(next.overlap * 16);
      expect(cached).toBeLessThan(next.usage.prompt_tokens);
    }
  });

  test("prompts with different prefixes spread over the workers", async () => {
    const answers = await Promise.all(
      ["bravo", "charlie", "delta", "echo"].map((seed) => send(longText(seed, 25))),
    );
    const counts = Map.groupBy(answers, (answer) => answer.worker);
    expect([...counts.values()].map((group) => group.length)).toEqual([2, 2]);
  });

  test("logs every candidate's terms and the choice at debug level", async () => {
    const id = `explain-${crypto.randomUUID()}`;
    const { worker } = await send(longText("foxtrot", 25), { "x-request-id": id });
    await stator.printed(new RegExp(`chosen request=${id} policy=kv worker=${worker}`));
    for (const name of ["llama-0", "llama-1"]) {
      expect(stator.stderr).toMatch(
        new RegExp(
          `candidate request=${id} worker=${name} overlapBlocks=\\d+ prefill=[\\d.]+ decode=\\d+ total=[\\d.]+`,
        ),
      );
    }
  });

  test("a header pins a request to a worker, and an unknown worker is refused", async () => {
    for (const worker of ["llama-1", "llama-0", "llama-1"]) {
      expect((await send("The weather is", { "x-stator-worker": worker })).worker).toBe(worker);
    }
    const refused = send("The weather is", { "x-stator-worker": "llama-9" });
    await expect(refused).rejects.toMatchObject({ status: 400, code: "unknown_worker" });
    await expect(refused).rejects.toThrow("llama-0, llama-1");
  });

  test("without the header, no response names a worker", async () => {
    const response = await fetch(`${url}/v1/models`);
    expect([...response.headers.keys()].filter((name) => name.startsWith("x-stator"))).toEqual([]);
    const completion = await openai.completions.create({ model, prompt: "Hi", max_tokens: 1 }).asResponse();
    expect([...completion.headers.keys()].filter((name) => name.startsWith("x-stator"))).toEqual([]);
  });

  test("the router's index matches the engine's cache, also after an eviction", async () => {
    // A worker has four sequences: the fifth prompt replaces the least recently used one.
    const pin = { "x-stator-worker": "llama-0" };
    const short = (seed: string) => longText(seed, 20);
    for (const seed of ["golf", "hotel", "india", "juliet", "kilo"]) await send(short(seed), pin);
    const [worker] = await workerUrls();
    await until(async () => {
      const usage = await metric(worker!, "stator_worker_kv_usage");
      const held = Math.round(usage * (await metric(worker!, "stator_worker_kv_total_blocks")));
      return held > 0 && (await metric(url, "stator_worker_stored_blocks", { worker: "llama-0" })) === held;
    });
    expect((await send(short("kilo"), pin)).overlap).toBeGreaterThan(3);
    const evicted = await send(short("golf"), pin);
    expect(evicted.overlap).toBe(0);
    expect(evicted.usage.prompt_tokens_details!.cached_tokens).toBeLessThan(16);
  });
});

describe("a client that disconnects", () => {
  test.each(["stream", "whole answer"])("stops the engine and frees the load (%s)", async (kind) => {
    const controller = new AbortController();
    const request = {
      model,
      prompt: "Count to a million: 1 2 3 4 5",
      max_tokens: 3000,
      ignore_eos: true,
      temperature: 0,
    };
    const pending = openai.completions.create(
      { ...request, stream: kind === "stream" },
      { signal: controller.signal },
    );
    const answer = (async () => {
      const result = await pending;
      if (Symbol.asyncIterator in result) for await (const _ of result);
    })();
    answer.catch(() => {});
    const urls = await workerUrls();
    const sum = async (name: string) => {
      const values = await Promise.all(urls.map((at) => metric(at, name)));
      return values.reduce((total, value) => total + value);
    };
    const running = () => sum("stator_worker_running_requests");
    const tokens = () => sum("stator_worker_output_tokens_total");
    const before = await tokens();
    await until(async () => (await tokens()) > before + 2);
    expect(await metric(url, "stator_worker_active_requests")).toBe(1);

    controller.abort();
    await until(async () => (await running()) === 0);
    await until(async () => (await metric(url, "stator_worker_active_requests")) === 0);
    expect(await metric(url, "stator_worker_active_decode_blocks")).toBe(0);
    expect(await metric(url, "stator_worker_active_prefill_tokens")).toBe(0);
    expect(await metric(url, "stator_inflight_requests")).toBe(0);
    // It would have run for a minute.
    expect(await tokens()).toBeLessThan(before + 1000);
    if (kind === "stream") await expect(answer).resolves.toBeUndefined();
    else await expect(answer).rejects.toThrow("aborted");
  });
});

/** URLs of the workers' own metrics, in order. */
async function workerUrls(): Promise<string[]> {
  const [, first, second] = await stator.printed(/llama-0 +(\S+)\/health[\s\S]*?llama-1 +(\S+)\/health/);
  return [first!, second!];
}
