import { expect, test } from "vitest";
import { startOwnGateway } from "./own-gateway.ts";
import { COMPLETE, readStory, Storyteller } from "./storyteller.ts";

// Workers with a role other than aggregated do a part of the work; only those that decode can answer.

const NO_DECODE = "a model cannot answer: its decode workers have left";

test("a model that has lost its last decode worker says so", async () => {
  const engines = {
    prefill: new Storyteller({ role: "prefill" }),
    decode: new Storyteller({ role: "decode" }),
  };
  const gateway = await startOwnGateway(engines, { health: { slowStartMs: 0 } });
  const health = async () => (await (await fetch(`${gateway.url}/health`)).json()).models;
  const prefill = { name: "prefill", kind: "worker", role: "prefill", status: "ready" };
  expect(await readStory(gateway)).toMatchObject(COMPLETE);
  expect(await health()).toMatchObject([
    {
      status: "ready",
      workers: expect.arrayContaining([prefill, { ...prefill, name: "decode", role: "decode" }]),
    },
  ]);
  const logged = () => gateway.logged.filter(({ message }) => message === NO_DECODE).length;
  const before = logged();

  await gateway.kill("decode");
  await expect.poll(logged).toBe(before + 1);
  await expect.poll(health).toMatchObject([{ status: "starting", workers: [prefill] }]);
  const answer = await gateway.post("/v1/completions", { model: "story", prompt: "story:" });
  expect(answer.status).toBe(503);
  expect((await answer.json()).error).toMatchObject({
    code: "no_worker_ready",
    message: expect.stringContaining("The model 'story' has no decode worker"),
  });
});

test("a request cannot name a worker that does not decode", async () => {
  const engines = {
    prefill: new Storyteller({ role: "prefill" }),
    decode: new Storyteller({ role: "decode" }),
  };
  const gateway = await startOwnGateway(engines);
  const body = { model: "story", prompt: "story:", stator: { worker: "prefill" } };
  const answer = await gateway.post("/v1/completions", body);
  expect(answer.status).toBe(400);
  expect((await answer.json()).error).toMatchObject({
    param: "stator.worker",
    message: expect.stringContaining("has the role 'prefill'"),
  });
});
