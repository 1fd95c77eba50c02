import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ask } from "./access/attached.ts";
import { until } from "./metrics.ts";
import { refusalOf } from "./refusal.ts";
import { StatorProcess, startUp } from "./stator-process.ts";

test("--model-alias works for models of workers too", async () => {
  const folder = mkdtempSync(join(tmpdir(), "stator-test-"));
  const run = (...args: string[]) =>
    new StatorProcess([...args, `--discovery=file:${folder}`, "--config=none"]);
  const gateway = run("gateway", "--port=0", "--model-alias=gpt-4=mocker");
  const worker = run("worker", "mocker", "--speedup=0");
  const [, url] = await gateway.printed(/listening url=(\S+)/);
  // A model is listed before its worker is reachable.
  await until(async () => (await ask(`${url}/health`)).status === 200);
  expect((await ask(`${url}/v1/models/gpt-4`)).status).toBe(200);
  const json = { model: "gpt-4", prompt: "Once upon a time", max_tokens: 1 };
  const answer = await ask(`${url}/v1/completions`, { json });
  expect(answer.status).toBe(200);
  const models = await ask(`${url}/v1/models`);
  expect(models.body.data).toContainEqual(
    expect.objectContaining({ id: "mocker", aliases: expect.arrayContaining(["gpt-4"]) }),
  );
  await Promise.all([gateway.stop(), worker.stop()]);
  rmSync(folder, { recursive: true });
});

test("stator up has aliases and fallbacks too", async () => {
  const names = ["--model-alias=gpt-4=echo,gpt-5=echo", "--model-fallback=absent=echo"];
  const stator = startUp("--engine=echo", "--workers=1", ...names);
  const url = await stator.url();
  for (const [model, standsIn] of [
    ["gpt-4", null],
    ["gpt-5", null],
    ["absent", "echo"],
  ]) {
    const answer = await ask(`${url}/v1/completions`, { json: { model, prompt: "Hi", max_tokens: 1 } });
    expect([answer.status, answer.headers.get("x-stator-model")]).toEqual([200, standsIn]);
  }
  await stator.stop();
  const refused = await refusalOf("up", "--config=none", "--engine=echo", "--model-alias=a=b,a=c");
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("stands for two models")]);
});
