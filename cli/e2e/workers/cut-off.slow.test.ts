import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { metric, until } from "../metrics.ts";
import { StatorProcess } from "../stator-process.ts";

// Answers of workers that outlast --drain-timeout.

const folder = mkdtempSync(join(tmpdir(), "stator-cut-off-"));
const common = ["--config=none", `--discovery=file:${folder}`];
let worker: StatorProcess;

beforeAll(async () => {
  worker = new StatorProcess(["worker", "mocker", "--name=slow", "--speedup=0.1", ...common]);
  await worker.printed(/worker is ready/);
});

afterAll(async () => {
  expect(await worker.stop()).toBe(0);
  rmSync(folder, { recursive: true });
});

async function startGateway(...flags: string[]) {
  const gateway = new StatorProcess(["gateway", "--port=0", "--drain-timeout=0.2", ...common, ...flags]);
  const [, url] = await gateway.printed(/listening.* url=(http:\S+)/);
  await until(async () => (await fetch(`${url}/health`)).ok);
  return { gateway, url: url! };
}

const complete = (url: string, more: object) =>
  fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "mocker", prompt: "a", max_tokens: 4000, ignore_eos: true, ...more }),
  });

test.each([
  ["one process", []],
  ["two processes", ["--processes=2"]],
])("end with an error, whole or in a stream, in %s", async (_what, processes) => {
  const { gateway, url } = await startGateway(...processes);
  const whole = complete(url, {});
  const response = await complete(url, { stream: true });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = (await reader.read()).value ?? "";
  await until(async () => (await metric(url, "stator_worker_active_requests")) === 2);
  const stopped = gateway.stop();
  for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
  const last = text.trim().split("\n\n").at(-1)!;
  expect(JSON.parse(last.slice("data: ".length))).toMatchObject({ error: { code: "gateway_stops" } });
  const { status } = await whole;
  expect(status).toBe(503);
  expect(await (await whole).json()).toMatchObject({ error: { code: "gateway_stops" } });
  expect(await stopped).toBe(0);
  expect(gateway.stderr).toMatch(/requests were cut off/);
});
