import { json } from "node:stream/consumers";
import { expect, test } from "vitest";
import { OTHER_PNG, PNG } from "../../../gateway/media/test-media.ts";
import { ask, attach, type Body } from "../access/attached.ts";
import { ScriptedEngine, sendJson } from "./scripted-engine.ts";

test("media are encoded and answered about through a gateway of several processes", async () => {
  const encoding: Body[] = [];
  const answering: Body[] = [];
  await using encoder = await ScriptedEngine.start(
    "tiny",
    async (request, response) => {
      const body = (await json(request)) as Body;
      encoding.push(body);
      const ids = Object.values(body.messages?.[0]?.content ?? {}).map(({ uuid }) => String(uuid));
      const entry = { item_indices: [0], metadata: { image_grid_thw: [1, 2, 2] } };
      sendJson(response, {
        choices: [],
        ec_transfer_params: Object.fromEntries(ids.map((id) => [id, entry])),
      });
    },
    "vllm",
  );
  await using engine = await ScriptedEngine.start(
    "tiny",
    async (request, response) => {
      answering.push((await json(request)) as Body);
      const message = { role: "assistant", content: "A cat." };
      const usage = { prompt_tokens: 20, completion_tokens: 3, total_tokens: 23 };
      sendJson(response, { choices: [{ index: 0, message, finish_reason: "stop" }], usage });
    },
    "vllm",
  );
  const { stator, url } = await attach([engine.url], `--encode=${encoder.url}`, "--processes=2");
  await expect.poll(async () => (await fetch(`${url}/health`)).status, { timeout: 20_000 }).toBe(200);
  const { host } = new URL(encoder.url);
  await expect
    .poll(async () => {
      const { body } = await ask(`${url}/admin/workers`);
      return Object.values(body.data ?? {}).some(
        (each) => String(each.name) === host && String(each.state) === "ready",
      );
    })
    .toBe(true);
  // New connections reach either process.
  for (const picture of [PNG, OTHER_PNG, PNG, OTHER_PNG]) {
    const image = { type: "image_url", image_url: { url: `data:image/png;base64,${picture}` } };
    const { status, body } = await ask(`${url}/v1/chat/completions`, {
      json: { model: "tiny", messages: [{ role: "user", content: [image] }] },
      headers: { connection: "close" },
    });
    expect([status, body.choices?.[0]?.message?.content]).toEqual([200, "A cat."]);
  }
  expect(answering).toHaveLength(4);
  for (const { ec_transfer_params: params } of answering) expect(Object.keys(params ?? {})).toHaveLength(1);
  // Each process may have each picture encoded once.
  expect(encoding.length).toBeGreaterThanOrEqual(2);
  expect(encoding.length).toBeLessThanOrEqual(4);
  expect(await stator.stop()).toBe(0);
});
