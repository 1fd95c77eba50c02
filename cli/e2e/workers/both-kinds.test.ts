import { afterEach, expect, test } from "vitest";
import { defineTextWorker } from "#workers";
import { TestEngine } from "../../../gateway/adapters/node/test-gateway.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";

// Workers and attached engines that serve the same model are members of one model.

let engine: TestEngine;
let gateway: OwnGateway;

afterEach(() => engine.close());

async function start(): Promise<void> {
  engine = await TestEngine.start(["both"]);
  const worker = defineTextWorker({ name: "both", generate: () => ["a worker's answer"] });
  const context = { options: {}, threads: 1, log: { child: () => context.log } as never };
  gateway = await startOwnGateway(
    { own: await worker.open(context) },
    { engines: [{ url: engine.url, name: "engine" }], policy: "round-robin", health: { slowStartMs: 0 } },
  );
}

async function chat(more: object = {}) {
  const messages = [{ role: "user", content: "Hi" }];
  const response = await gateway.post("/v1/chat/completions", { model: "both", messages, ...more });
  const { choices, error } = await response.json();
  return choices?.[0].message.content ?? `${response.status} ${error.code}`;
}

test("is listed once, and its members answer in turn", async () => {
  await start();
  const { data } = await (await fetch(`${gateway.url}/v1/models`)).json();
  expect(data.map(({ id }: { id: string }) => id)).toEqual(["both"]);
  const { models } = await (await fetch(`${gateway.url}/health`)).json();
  const workers = models[0].workers.map(({ name, status }: Record<string, string>) => `${name} ${status}`);
  expect(workers.sort()).toEqual(["engine ready", "own ready"]);
  const answers = new Set<string>();
  for (let round = 0; round < 4; round++) answers.add(await chat());
  expect(answers).toEqual(new Set(["Hello.", "a worker's answer"]));
});

test("answers with whichever member a request names", async () => {
  await start();
  for (let round = 0; round < 3; round++) {
    expect(await chat({ stator: { worker: "own" } })).toBe("a worker's answer");
    expect(await chat({ stator: { worker: "engine" } })).toBe("Hello.");
  }
  expect(await chat({ stator: { worker: "nobody" } })).toBe("400 unknown_worker");
});

test("keeps serving with its engines when its workers have gone, and vice versa", async () => {
  await start();
  engine.answer = (_, response) => response.destroy();
  for (let round = 0; round < 3; round++) expect(await chat()).toBe("a worker's answer");
  await gateway.kill("own");
  expect(await chat()).toMatch(/^50\d/);

  await start();
  await gateway.kill("own");
  for (let round = 0; round < 3; round++) expect(await chat()).toBe("Hello.");
});

test("keeps its workers' names: an engine needs another one", async () => {
  await start();
  const url = "http://127.0.0.1:1";
  const attached = await gateway.post("/admin/workers", { url, name: "own", wait_ms: 0 });
  expect(attached.status).toBe(409);
  expect((await attached.json()).error).toMatchObject({ param: "name", code: "already_attached" });
  expect((await gateway.post("/admin/workers", { url, name: "free", wait_ms: 0 })).status).toBe(201);
});

test("has paths that only engines serve, always or because its workers do not embed", async () => {
  await start();
  for (const path of ["/v1/pooling", "/v1/rerank", "/v1/rerank"]) {
    const answer = await gateway.post(path, { model: "both", input: "Hi" });
    expect(answer.status).toBe(200);
    expect(engine.asked.pop()).toBe(path);
  }
});
