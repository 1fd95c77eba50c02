import OpenAI from "openai";
import { expect, test } from "vitest";
import { stall } from "../../scripts/testing/stall.ts";
import { until } from "./metrics.ts";
import { family, gone, leftovers, workerPid } from "./process-family.ts";
import { startByNpm, startUp } from "./stator-process.ts";

/** `lifecycle-echo.slow.test.ts` with the real model instead of the echo, and running answers under npm. */
const client = (url: string) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const ask = { model: "default", prompt: "Once upon a time", max_tokens: 4, temperature: 0 };

test("starts, answers, drains at Ctrl-C, and starts again, leaving nothing behind", async () => {
  for (let round = 0; round < 2; round++) {
    const stator = startUp();
    const openai = client(await stator.url());
    const all = family(stator.pid);
    expect(all).toHaveLength(4);
    const stream = await openai.completions.create({
      ...ask,
      ...{ ignore_eos: true },
      max_tokens: 30,
      stream: true,
    });
    let chunks = 0;
    for await (const _ of stream) if (chunks++ === 0) stator.signalGroup("SIGINT");
    expect(chunks).toBeGreaterThan(25);
    expect(await stator.ended()).toBe(0);
    await gone(all);
    expect(leftovers(stator.pid)).toEqual([]);
  }
});

test("a restarted worker begins with an empty cache, and the router knows", async () => {
  const stator = startUp("--workers=1");
  const openai = client(await stator.url());
  const prompt = Array.from({ length: 40 }, (_, index) => `word ${index}`).join(" ");
  const send = async () => {
    const { data, response } = await openai.completions
      .create({ ...ask, prompt, max_tokens: 1 }, { headers: { "x-stator-explain": "true" } })
      .withResponse();
    return {
      overlap: Number(response.headers.get("x-stator-overlap-blocks")),
      cached: data.usage!.prompt_tokens_details!.cached_tokens!,
    };
  };
  expect((await send()).cached).toBe(0);
  await until(async () => (await send()).overlap > 3);
  process.kill(workerPid(stator, "llama-0"), "SIGKILL");
  let after: Awaited<ReturnType<typeof send>> | undefined;
  await until(async () => {
    after = await send().catch(() => undefined);
    return after !== undefined;
  });
  expect(after).toEqual({ overlap: 0, cached: 0 });
  expect(await stator.stop()).toBe(0);
});

test.each(["SIGTERM", "SIGINT"] as const)("npm start lets running answers finish on %s", async (signal) => {
  const npm = startByNpm("--engine=echo", "--delay=30");
  const openai = client(await npm.url());
  const all = family(npm.pid);
  const stream = await openai.completions.create({ ...ask, max_tokens: 80, stream: true });
  let tokens = 0;
  for await (const chunk of stream) {
    // To npm alone, like a service manager, or to all, like a terminal.
    if (tokens === 0) signal === "SIGTERM" ? npm.signal(signal) : npm.signalGroup(signal);
    tokens += chunk.choices[0]!.text.length;
  }
  expect(tokens).toBe(80);
  await npm.ended();
  await gone(all);
});

test.each([
  ["an answer", {}],
  ["an answer that keeps to a grammar", { guided_regex: "([a-z]{2,6} [0-9]{3}, ){200}" }],
])("%s whose worker is killed continues on the other one, token for token", async (_, fields) => {
  const stator = startUp();
  const openai = client(await stator.url());
  const long = { ...ask, ...fields, ...{ ignore_eos: true }, max_tokens: 90 };
  const whole = await openai.completions.create(long);
  const { data: stream, response } = await openai.completions
    .create(
      { ...long, stream: true, stream_options: { include_usage: true } },
      { headers: { "x-stator-explain": "true" } },
    )
    .withResponse();
  const worker = response.headers.get("x-stator-worker")!;
  let text = "";
  let chunks = 0;
  let completionTokens: number | undefined;
  for await (const { choices, usage } of stream) {
    text += choices[0]?.text ?? "";
    completionTokens ??= usage?.completion_tokens;
    if (++chunks === 20) process.kill(workerPid(stator, worker), "SIGKILL");
  }
  expect(text).toBe(whole.choices[0]!.text);
  expect(completionTokens).toBe(90);
  expect(await stator.stop()).toBe(0);
});

test("a worker that hangs is restarted, and its requests fail clearly", async () => {
  const stator = startUp("--engine=echo", "--delay=20", `--hang-timeout=${Math.ceil(stall())}`);
  const openai = client(await stator.url());
  const pin = { headers: { "x-stator-worker": "echo-0" } };
  const stream = await openai.completions.create({ ...ask, max_tokens: 4000, stream: true }, pin);
  const iterator = stream[Symbol.asyncIterator]();
  await iterator.next();
  process.kill(workerPid(stator, "echo-0"), "SIGSTOP");
  const rest = (async () => {
    while (!(await iterator.next()).done);
  })();
  await expect(rest).rejects.toMatchObject({ error: { code: "worker_failed" } });
  await stator.printed(/restarting it child=echo-0 reason="it did not answer for \d+ s"/);
  await until(() =>
    openai.completions.create(ask, pin).then(
      () => true,
      () => false,
    ),
  );
  expect(await stator.stop()).toBe(0);
});
