import { afterEach, expect, test } from "vitest";
import { TestEngine } from "../../../gateway/adapters/node/test-gateway.ts";
import { openEcho } from "../../../workers/echo/engine.ts";
import { type OwnGateway, startOwnGateway } from "../workers/own-gateway.ts";
import { Stenographer } from "./stenographer.ts";

// Speech is transcribed by workers and attached engines alike.

let engine: TestEngine;
let gateway: OwnGateway;

afterEach(() => engine.close());

async function start(abilities: ConstructorParameters<typeof Stenographer>[1] = {}): Promise<void> {
  engine = await TestEngine.start(["both"]);
  engine.answer = (_request, response) => response.end(JSON.stringify({ text: "the engine's" }));
  gateway = await startOwnGateway(
    { own: new Stenographer("both", abilities).engine, echo: openEcho() },
    { engines: [{ url: engine.url, name: "engine" }], policy: "round-robin", health: { slowStartMs: 0 } },
  );
}

async function transcribe(
  headers: Record<string, string> = {},
  { model = "both", task = "transcriptions" } = {},
): Promise<string> {
  const form = new FormData();
  form.set("model", model);
  form.set("file", new Blob(["the worker's"]), "a.wav");
  const response = await fetch(`${gateway.url}/v1/audio/${task}`, { method: "POST", headers, body: form });
  const { text, error } = await response.json();
  return text ?? `${response.status} ${error.code}`;
}

test("a model with both is answered by either", async () => {
  await start();
  const answers = new Set<string>();
  for (let round = 0; round < 4; round++) answers.add(await transcribe());
  expect(answers).toEqual(new Set(["the worker's", "the engine's"]));
  expect(await transcribe({ "x-stator-worker": "own" })).toBe("the worker's");
  expect(await transcribe({ "x-stator-worker": "engine" })).toBe("the engine's");
});

test("what its workers cannot do, its engines are asked for", async () => {
  await start({ translates: false });
  for (let round = 0; round < 3; round++)
    expect(await transcribe({}, { task: "translations" })).toBe("the engine's");
});

test("what neither can is refused", async () => {
  await start();
  expect(await transcribe({}, { model: "echo" })).toBe("400 unsupported_model");
  expect(await transcribe({}, { model: "none" })).toBe("404 model_not_found");
});

test("its engines answer once its workers have gone, and vice versa", async () => {
  await start();
  await gateway.kill("own");
  for (let round = 0; round < 3; round++) expect(await transcribe()).toBe("the engine's");
  await engine.close();
  await start();
  await engine.close();
  for (let round = 0; round < 3; round++) expect(await transcribe()).toBe("the worker's");
});

test("a body that is no form is left to the engines", async () => {
  await start();
  const response = await gateway.post("/v1/audio/transcriptions", { model: "both" });
  expect(await response.json()).toEqual({ text: "the engine's" });
  expect((await gateway.post("/v1/audio/transcriptions", { model: "echo" })).status).toBe(415);
});
