import { expect, test } from "vitest";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { StandInProcess } from "../attach/stand-in-process.ts";
import { clientOf, streamChat } from "../attach/streams.ts";
import { until } from "../metrics.ts";
import { StatorProcess } from "../stator-process.ts";

// A gateway replaces another one: it knows the caches at once, and no stream breaks.

const folder = temporaryFolder();

const TOKENS = 60;

interface Front {
  readonly process: StatorProcess;
  readonly url: string;
}

/** Starts a gateway that others find in `discovery`; resolves once it is ready. */
async function start(discovery: string, ...args: string[]): Promise<Front> {
  const shared = ["--port=0", "--config=none", `--discovery=file:${folder}/${discovery}`, "--slow-start=0"];
  const process = new StatorProcess([...args, ...shared]);
  const [, url] = await process.printed(/(?:listening.* url=|Send requests to )(http:\/\/[^\s/]+)/);
  await until(async () => (await fetch(`${url}/health`)).ok);
  return { process, url: url! };
}

/** How many blocks of the prompt the worker is known to hold. */
async function overlap({ url }: Front, model: string, worker: string, prompt: string): Promise<number> {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-stator-explain": "true", "x-stator-worker": worker },
    body: JSON.stringify({ model, prompt, max_tokens: 1 }),
  });
  expect(response.status).toBe(200);
  await response.text();
  return Number(response.headers.get("x-stator-overlap-blocks"));
}

const prompts = Array.from({ length: 6 }, (_, index) => `Prompt ${index}: ${`${index} sheep. `.repeat(40)}`);

test("in front of engines, and a client that switches loses nothing", async () => {
  const flags = ["vllm", "--kv-port=0", "--inter-token-ms=10"] as const;
  const engines = [await StandInProcess.start(...flags), await StandInProcess.start(...flags)];
  const attach = ["attach", ...engines.map(({ url }) => url)];
  const first = await start("engines", ...attach);
  const placed = prompts.map((prompt, index) => ({ prompt, engine: engines[index % 2]!.name }));
  for (const { prompt, engine } of placed) await overlap(first, "tiny", engine, prompt);
  const known = (front: Front) =>
    Promise.all(placed.map(({ prompt, engine }) => overlap(front, "tiny", engine, prompt)));
  await expect.poll(() => known(first).then((blocks) => Math.min(...blocks))).toBeGreaterThan(4);

  const second = await start("engines", ...attach);
  expect(await known(second)).toEqual(await known(first));
  await second.process.printed(/took over what another gateway knows of a model's caches model=tiny/);

  const question = "Tell me about sheep";
  const whole = await streamChat(clientOf(engines[0]!.url), question, TOKENS);
  let drained: Promise<number | NodeJS.Signals> | undefined;
  const answers: Promise<unknown>[] = [];
  const answer = await streamChat(clientOf(first.url), question, TOKENS, () => {
    if (drained !== undefined) return;
    drained = first.process.stop();
    answers.push(streamChat(clientOf(second.url), question, TOKENS).then(({ text }) => text));
  });
  expect(answer).toMatchObject({ text: whole.text, finishReason: "length" });
  expect(await Promise.all(answers)).toEqual([whole.text]);
  expect(await drained).toBe(0);
  expect(await known(second).then((blocks) => Math.min(...blocks))).toBeGreaterThan(4);
});

test("in front of workers", async () => {
  const worker = ["worker", "mocker", "--speedup=0", "--model-name=mock", "--config=none"];
  const discovery = `--discovery=file:${folder}/workers`;
  const workers = ["one", "two"].map((name) => new StatorProcess([...worker, discovery, `--name=${name}`]));
  for (const each of workers) await each.printed(/worker is ready/);
  const first = await start("workers", "gateway");
  for (const prompt of prompts) await overlap(first, "mock", "one", prompt);
  const known = (front: Front) => Promise.all(prompts.map((prompt) => overlap(front, "mock", "one", prompt)));
  await expect.poll(() => known(first).then((blocks) => Math.min(...blocks))).toBeGreaterThan(4);
  const second = await start("workers", "gateway");
  // Workers send a snapshot themselves.
  await expect.poll(() => known(second)).toEqual(await known(first));
});

test("in front of workers without KV events, whose caches are predicted", async () => {
  const flags = ["--config=none", `--discovery=file:${folder}/silent`, "--name=one"];
  const worker = new StatorProcess(["worker", "echo", ...flags]);
  await worker.printed(/worker is ready/);
  const first = await start("silent", "gateway");
  await first.process.printed(/a worker sends no KV events/);
  for (const prompt of prompts) await overlap(first, "echo", "one", prompt);
  const known = (front: Front) => Promise.all(prompts.map((prompt) => overlap(front, "echo", "one", prompt)));
  const blocks = await known(first);
  expect(Math.min(...blocks)).toBeGreaterThan(4);
  const second = await start("silent", "gateway");
  expect(await known(second)).toEqual(blocks);
});
