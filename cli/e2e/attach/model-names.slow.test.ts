import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { ask, attach, bearer, chat } from "../access/attached.ts";
import { keys } from "../access/key-file.ts";
import { metric, until } from "../metrics.ts";
import { refusalOf } from "../refusal.ts";
import type { StatorProcess } from "../stator-process.ts";
import { ScriptedEngine, sendJson } from "./scripted-engine.ts";
import { StandInProcess } from "./stand-in-process.ts";
import { clientOf, streamChat } from "./streams.ts";

describe.each([
  ["one process", []],
  ["two processes", ["--processes=2"]],
])("names that an operator gives, in %s", (_what, processes) => {
  let big: StandInProcess;
  let small: StandInProcess;
  let mirror: ScriptedEngine;
  let stator: StatorProcess;
  let url: string;
  const key: Record<string, string> = {};

  beforeAll(async () => {
    big = await StandInProcess.start("vllm", "--model=big");
    small = await StandInProcess.start("sglang", "--model=tiny");
    mirror = await startMirror();
    const file = join(temporaryFolder(), "keys.yaml");
    key.admin = await keys(file, "add", "admin", "--admin");
    key.alias = await keys(file, "add", "of-alias", "--models=gpt-4");
    key.model = await keys(file, "add", "of-model", "--models=big");
    const urls = [big.url, small.url, mirror.url];
    ({ stator, url } = await attach(
      urls,
      `--keys=${file}`,
      "--model-alias=gpt-4=big,ears=mirror",
      "--model-fallback=big=nothing,big=tiny,big=mirror",
      "--model-fallback=never-there=tiny",
      "--health-interval=0.2",
      "--retries=1",
      ...processes,
    ));
    // Each process learns of the engines at its own time.
    for (const model of ["gpt-4", "tiny", "ears"])
      await until(async () =>
        (
          await Promise.all(
            Array(8)
              .fill(0)
              .map(() => listed(model)),
          )
        ).every(Boolean),
      );
  });

  afterAll(async () => {
    expect(await stator.stop()).toBe(0);
    await mirror[Symbol.asyncDispose]();
  });

  const post = (json: object, bearerKey = key.admin!) =>
    ask(`${url}/v1/chat/completions`, { json, headers: bearer(bearerKey) });

  const listed = async (model: string) =>
    (await ask(`${url}/v1/models/${model}`, { headers: { ...bearer(key.admin!), connection: "close" } }))
      .status === 200;

  test("work in requests and appear in lists", async () => {
    const answer = await post(chat({ model: "gpt-4" }));
    expect(answer).toMatchObject({ status: 200, body: { model: "big" } });
    expect(answer.headers.get("x-stator-model")).toBeNull();
    const models = await ask(`${url}/v1/models`, { headers: bearer(key.admin!) });
    expect(models.body.data).toContainEqual(expect.objectContaining({ id: "big", aliases: ["gpt-4"] }));
  });

  test("work in a key's scope, as does the model's own name", async () => {
    expect((await post(chat({ model: "gpt-4" }), key.alias)).status).toBe(200);
    expect((await post(chat({ model: "gpt-4" }), key.model)).status).toBe(200);
    expect((await post(chat({ model: "tiny" }), key.alias)).status).toBe(403);
  });

  test("change no other byte of a request", async () => {
    const headers = { ...bearer(key.admin!), "content-type": "application/json" };
    const body =
      '{ "messages":[{"role":"user","content":"\\u00e4 \\"model\\": 1.0"}],\n "model" :"ears", "x":1.0}';
    const mirrored = await ask(`${url}/v1/chat/completions`, { method: "POST", body, headers });
    expect(mirrored.body.received).toBe(body.replace(':"ears"', ':"mirror"'));
    const form = new FormData();
    form.set("model", "ears");
    form.set("file", new Blob(["sound of ears"]), "sound.wav");
    const transcription = await ask(`${url}/v1/audio/transcriptions`, {
      method: "POST",
      body: form,
      headers: bearer(key.admin!),
    });
    expect(transcription.body.received).toContain('name="model"\r\n\r\nmirror\r\n');
    expect(transcription.body.received).toContain("sound of ears");
    const files = await ask(`${url}/v1/files?model=ears&limit=2`, { headers: bearer(key.admin!) });
    expect(files.body.url).toBe("/v1/files?model=mirror&limit=2");
  });

  test("do not hide errors of a request", async () => {
    const tooLong = await post(chat({ model: "gpt-4", max_tokens: 100_000 }));
    expect(tooLong.status).toBe(400);
    expect(tooLong.headers.get("x-stator-model")).toBeNull();
  });

  test.each([503, 429])("answer while the first model returns %i", async (status) => {
    await big.faults({ status });
    const answer = await post(chat({ model: "gpt-4" }));
    expect(answer).toMatchObject({ status: 200, body: { model: "tiny" } });
    expect(answer.headers.get("x-stator-model")).toBe("tiny");
    await big.faults({});
  });

  test("are tried in order until one answers", async () => {
    await Promise.all([big.faults({ status: 503 }), small.faults({ status: 503 })]);
    const answer = await post(chat({ model: "big" }));
    expect(answer.headers.get("x-stator-model")).toBe("mirror");
    expect(JSON.parse(String(answer.body.received))).toEqual(chat({ model: "mirror" }));
    await Promise.all([big.faults({}), small.faults({})]);
  });

  test("of unknown models are reported once, at start-up", async () => {
    await stator.printed(/names a model that no engine serves yet.*nothing/);
  });

  test("answer while the first model's engines are gone", async () => {
    await big.kill();
    const counted = (labels: Record<string, string>) =>
      metric(url, "stator_model_fallbacks_total", labels, bearer(key.admin!));
    const labels = { model: "gpt-4", fallback: "tiny" };
    const [before, beforeOfAll] = [await counted(labels), await counted({})];
    const openai = clientOf(url, key.admin);
    expect((await streamChat(openai, "Hello", 10, undefined, undefined, "big")).finishReason).toBe("length");
    const answer = await post(chat({ model: "gpt-4" }));
    expect(answer.headers.get("x-stator-model")).toBe("tiny");
    // A key that cannot use the fallback gets the first model's error.
    const refused = await post(chat({ model: "gpt-4" }), key.alias);
    expect(refused.status).toBeGreaterThanOrEqual(502);
    expect(await counted(labels)).toBe(before + 1);
    expect(await counted({})).toBe(beforeOfAll + 2);
    await big.restart();
    await until(async () => (await post(chat({ model: "gpt-4" }))).headers.get("x-stator-model") === null);
    expect(await metric(url, "stator_inflight_requests", {}, bearer(key.admin!))).toBe(0);
  });

  test("answer for a model that has never existed", async () => {
    const answer = await post(chat({ model: "never-there" }));
    expect(answer).toMatchObject({ status: 200, body: { model: "tiny" } });
    expect(answer.headers.get("x-stator-model")).toBe("tiny");
  });
});

test.each([
  ["--model-alias=a=b,a=c", "--model-alias a stands for two models, b and c."],
  ["--model-alias=a=b,b=c", "b is an alias too; write a=c."],
  ["--model-alias=a=a", "is an alias of itself"],
  ["--model-alias=a", "it must be NAME=MODEL"],
  ["--model-fallback=a=a", "the fallback must be another model"],
  ["--model-alias=b=a --model-fallback=b=a", "the fallback must be another model"],
])("stator attach refuses %s", async (flags, message) => {
  const args = ["http://127.0.0.1:1", "--config=none", ...flags.split(" ")];
  const { code, stderr } = await refusalOf("attach", ...args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});

/** An engine that echoes the request. */
const startMirror = () =>
  ScriptedEngine.start("mirror", async (request, response) =>
    sendJson(response, { url: request.url, received: await text(request) }),
  );
