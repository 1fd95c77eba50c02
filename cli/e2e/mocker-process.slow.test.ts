import { join } from "node:path";
import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import { stall } from "../../scripts/testing/stall.ts";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { until } from "./metrics.ts";
import { StatorProcess, startUp } from "./stator-process.ts";

/** Mock workers as processes: many in one, a slow start, a crash. */
const folder = temporaryFolder();

const client = (url: string) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const ask = { model: "mocker", prompt: "Once upon a time", max_tokens: 4 };

/** A separate gateway for the workers in `discovery`. */
async function startGateway(discovery: string, ...args: string[]) {
  const gateway = new StatorProcess([
    "gateway",
    `--discovery=${discovery}`,
    "--port=0",
    "--config=none",
    ...args,
  ]);
  const [, url] = await gateway.printed(/(http:\/\/127\.0\.0\.1:\d+)/);
  return { gateway, url: url! };
}

const startMocker = (discovery: string, ...args: string[]) =>
  new StatorProcess(["worker", "mocker", `--discovery=${discovery}`, "--config=none", ...args]);

async function readyWorkers(url: string): Promise<string[]> {
  const health = (await (await fetch(`${url}/health`)).json()) as {
    models: { status: string; workers: { name: string; status: string }[] }[];
  };
  // A model is ready a moment after its workers, once its tokenizer is loaded.
  const models = health.models.filter(({ status }) => status === "ready");
  const all = models.flatMap(({ workers }) => workers);
  return all.filter(({ status }) => status === "ready").map(({ name }) => name);
}

describe("a process of mock workers", () => {
  test("serves with fifty of them, and stops them all", async () => {
    const discovery = `file:${join(folder, "fifty")}`;
    const { gateway, url } = await startGateway(discovery, "--policy=round-robin");
    const mocker = startMocker(discovery, "--workers=50", "--speedup=0");
    await until(async () => (await readyWorkers(url)).length === 50);
    const openai = client(url);
    const answers = await Promise.all(
      Array.from({ length: 100 }, () =>
        openai.completions.create(ask, { headers: { "x-stator-explain": "true" } }).withResponse(),
      ),
    );
    for (const { data } of answers) expect(data.usage!.completion_tokens).toBe(4);
    const names = new Set(answers.map(({ response }) => response.headers.get("x-stator-worker")));
    expect(names).toEqual(new Set(Array.from({ length: 50 }, (_, index) => `mocker-${index}`)));
    expect(await mocker.stop()).toBe(0);
    await until(async () => (await readyWorkers(url)).length === 0);
    expect(await gateway.stop()).toBe(0);
  });

  test("joins once it has started, and reports its progress", async () => {
    const discovery = `file:${join(folder, "start")}`;
    const { gateway, url } = await startGateway(discovery);
    const mocker = startMocker(discovery, "--name=slow", `--startup-time=${stall()}`);
    await mocker.printed(/slow loading the model percent=50/);
    expect(await readyWorkers(url)).toEqual([]);
    await mocker.printed(/slow worker is ready/);
    await until(async () => (await readyWorkers(url)).length === 1);
    expect(await mocker.stop()).toBe(0);
    expect(await gateway.stop()).toBe(0);
  });

  test("stops at once during its start", async () => {
    const mocker = startMocker(`file:${join(folder, "stop")}`, "--startup-time=600");
    await mocker.printed(/loading the model percent=0/);
    expect(await mocker.stop()).toBe(0);
  });

  test("refuses invalid options before it starts", async () => {
    const failures: [string[], RegExp][] = [
      [["--fault=crush:after-tokens=1"], /--fault cannot be .*: the faults are .*; did you mean crash\?/],
      [["--workers=2", "--listen=tcp:127.0.0.1:0"], /--listen sets the address of one worker/],
      [["--kv-events-replay-endpoint=tcp://127.0.0.1:0"], /needs --kv-events-endpoint too/],
      [["--kv-events-endpoint=5557"], /--kv-events-endpoint: 5557 is not tcp:\/\/HOST:PORT/],
    ];
    for (const [args, message] of failures) {
      const mocker = startMocker(`file:${join(folder, "refused")}`, ...args);
      await mocker.printed(message);
      expect(await mocker.ended()).toBe(2);
    }
  });
});

test("a mock worker with a crash fault fails its request, restarts, and reports where its events are", async () => {
  const stator = startUp(
    "--engine=mocker",
    "--workers=1",
    "--speedup=0",
    "--fault=crash:after-tokens=20",
    "--kv-events-endpoint=tcp://127.0.0.1:0",
  );
  const openai = client(await stator.url());
  await stator.printed(/KV events over ZeroMQ rank=0 endpoint=tcp:\/\/127\.0\.0\.1:[1-9]/);
  await openai.completions.create(ask);
  await expect(openai.completions.create({ ...ask, max_tokens: 40 })).rejects.toMatchObject({ status: 502 });
  await stator.printed(/injected fault: the process crashes/);
  await stator.printed(/restarting it child=mocker-0 reason=SIGKILL/);
  await until(() =>
    openai.completions.create(ask).then(
      () => true,
      () => false,
    ),
  );
  expect(await stator.stop()).toBe(0);
});
