import { expect, test } from "vitest";
import { OTHER_PNG, PNG, wav } from "../../../gateway/media/test-media.ts";
import { TestingAgent } from "../../../workers/kv/testing-agent.ts";
import { readMetric } from "../../../workers/kv/testing-worker.ts";
import { metric } from "../metrics.ts";
import { accessWith } from "./keys-of.ts";
import { startOwnGateway } from "./own-gateway.ts";
import { Painter } from "./painter.ts";
import { Seer } from "./seer.ts";

// Workers that encode media for the workers that answer.

const FORMAT = { featureFormat: "test 1" };
const size = (base64: string) => Buffer.from(base64, "base64").length;
const image = (base64: string) => ({
  ...{ type: "image_url", image_url: { url: `data:image/png;base64,${base64}` } },
});
const sound = (data = wav()) => ({ type: "input_audio", input_audio: { data, format: "wav" } });
const painted = (base64: string) => `[painted image image/png ${size(base64)}]`;
const seen = (base64: string) => `[image image/png ${size(base64)}]`;

interface Options {
  /** Of the gateway. */
  readonly gateway?: object;
  /** How much each encode worker holds, in bytes. */
  readonly encodedBytes?: number;
}

/** @param engines by their workers' names; painters encode */
async function start(
  engines: Readonly<Record<string, Seer>>,
  { gateway: options, encodedBytes }: Options = {},
) {
  const own = Object.entries(engines).map(([name, engine]) => {
    const agent = new TestingAgent();
    const role = engine instanceof Painter ? { role: "encode" as const } : {};
    return [name, { openTransferAgent: async () => agent, kvTransfer: { encodedBytes }, ...role }];
  });
  const gateway = await startOwnGateway(engines, options, Object.fromEntries(own));
  const names = Object.keys(engines);
  return {
    ...gateway,
    async ask(content: object[], key = "none", signal?: AbortSignal) {
      const response = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: {
          ...{ "content-type": "application/json", "x-stator-explain": "true" },
          authorization: `Bearer ${key}`,
        },
        body: JSON.stringify({ model: "seer", messages: [{ role: "user", content }] }),
        ...(signal && { signal }),
      });
      const { choices } = await response.json();
      return {
        status: response.status,
        text: choices?.[0].message.content,
        encoder: response.headers.get("x-stator-encode-worker"),
      };
    },
    encodes: (place: string, reason = "") =>
      metric(gateway.url, "stator_encodes_total", { model: "seer", place, reason }),
    workerMetric: (worker: string, name: string) => readMetric(gateway.opsUrls[names.indexOf(worker)]!, name),
  };
}

test("media are encoded by an encode worker, and their features read by the worker that answers", async () => {
  const painter = new Painter("seer", FORMAT);
  const { ask, encodes, workerMetric } = await start({ seer: new Seer("seer", FORMAT), painter });
  const { text, encoder } = await ask([image(PNG), { type: "text", text: "and" }, sound()]);
  expect(text).toBe(`u:${painted(PNG)}\nand\n[painted audio audio/wav ${size(wav())}];`);
  expect(encoder).toBe("painter");
  expect(painter.encoded).toHaveLength(2);
  expect(await encodes("remote")).toBe(2);
  expect(await workerMetric("painter", "worker_media_encoded_total")).toEqual({ 'outcome="encoded"': 2 });
  expect(await workerMetric("painter", "worker_encoded_media")).toEqual({ "": 2 });
  expect(await workerMetric("seer", "worker_feature_transfers_total")).toEqual({
    'outcome="transferred",kind="tcp"': 2,
  });
  expect(await ask([{ type: "text", text: "Hi" }])).toMatchObject({ text: "u:Hi;", encoder: null });
});

test("each medium is encoded once, however many ask, at once and later", async () => {
  const painter = new Painter("seer", FORMAT);
  const seers = [new Seer("seer", FORMAT), new Seer("seer", FORMAT)];
  const { ask, encodes } = await start({ one: seers[0]!, two: seers[1]!, painter });
  const { promise, resolve } = Promise.withResolvers<void>();
  painter.encodeGate = promise;
  const begun = new Promise<void>((begin) => {
    painter.onEncode = begin;
  });
  const all = Array.from({ length: 6 }, () => ask([image(PNG), image(PNG)]));
  await begun;
  resolve();
  for (const { text } of await Promise.all(all)) expect(text).toBe(`u:${painted(PNG)}\n${painted(PNG)};`);
  expect((await ask([image(PNG)])).text).toBe(`u:${painted(PNG)};`);
  expect(painter.encoded).toHaveLength(1);
  expect((await encodes("remote")) + (await encodes("shared"))).toBe(7);
});

test("what an encode worker has no more room for is sent to it again", async () => {
  const painter = new Painter("seer", FORMAT);
  const { ask, workerMetric } = await start({ seer: new Seer("seer", FORMAT), painter }, { encodedBytes: 1 });
  for (const base64 of [PNG, OTHER_PNG, PNG])
    expect(await ask([image(base64)])).toMatchObject({ text: `u:${painted(base64)};`, encoder: "painter" });
  expect(painter.encoded).toHaveLength(3);
  expect(await workerMetric("painter", "worker_encoded_media")).toEqual({ "": 1 });
  expect(await workerMetric("painter", "worker_media_encoded_total")).toEqual({
    'outcome="encoded"': 3,
    'outcome="missing"': 1,
  });
});

test.each([
  ["fails", { isBroken: true }, "encoder_unusable"],
  ["refuses a medium", { refusal: "It is ugly." }, undefined],
])("the worker that answers encodes a medium itself if the encode worker %s", async (_, fault, reason) => {
  const painter = new Painter("seer", FORMAT);
  const { ask, encodes } = await start({ seer: new Seer("seer", FORMAT), painter });
  Object.assign(painter, fault);
  expect(await ask([image(PNG)])).toEqual({ status: 200, text: `u:${seen(PNG)};`, encoder: null });
  if (reason !== undefined) expect(await encodes("fallback", reason)).toBe(1);
});

test.each([
  ["has another projector", new Painter("seer", { featureFormat: "test 2" })],
  ["takes other kinds of media", new Painter("seer", { ...FORMAT, media: ["audio"] })],
])("an encode worker that %s is not asked", async (_, painter) => {
  const { ask, encodes } = await start({ seer: new Seer("seer", FORMAT), painter });
  expect(await ask([image(PNG)])).toMatchObject({ text: `u:${seen(PNG)};`, encoder: null });
  expect(painter.encoded).toEqual([]);
  expect(await encodes("local", "none_ready")).toBe(1);
});

test("no request is lost when encode workers are killed while they encode, and after", async () => {
  const painters = [new Painter("seer", FORMAT), new Painter("seer", FORMAT)];
  const { ask, encodes, kill } = await start({
    seer: new Seer("seer", FORMAT),
    ...{ first: painters[0]!, second: painters[1]! },
  });
  const stuck = new Promise<string>((begin) => {
    for (const [index, painter] of painters.entries()) {
      painter.encodeGate = new Promise(() => {});
      painter.onEncode = () => begin(["first", "second"][index]!);
    }
  });
  const answer = ask([image(PNG)]);
  const killed = await stuck;
  for (const painter of painters) painter.encodeGate = Promise.resolve();
  await kill(killed);
  expect(await answer).toMatchObject({ status: 200, text: `u:${seen(PNG)};` });
  expect(await encodes("fallback", "encoder_lost")).toBe(1);
  const left = killed === "first" ? "second" : "first";
  expect(await ask([image(PNG)])).toMatchObject({ text: `u:${painted(PNG)};`, encoder: left });
  await kill(left);
  expect(await ask([image(PNG)])).toMatchObject({ status: 200, text: `u:${seen(PNG)};`, encoder: null });
});

test("an encode worker stops once all clients that wait for it have left", async () => {
  const painter = new Painter("seer", FORMAT);
  const { ask } = await start({ seer: new Seer("seer", FORMAT), painter });
  painter.encodeGate = new Promise(() => {});
  const begun = new Promise<void>((begin) => {
    painter.onEncode = begin;
  });
  const cancelled = new Promise<void>((cancel) => {
    painter.onEncodeCancelled = cancel;
  });
  const leaving = [new AbortController(), new AbortController()];
  const all = leaving.map(({ signal }) => ask([image(PNG)], "none", signal).catch(() => "left"));
  await begun;
  for (const each of leaving) each.abort();
  await cancelled;
  expect(await Promise.all(all)).toEqual(["left", "left"]);
});

test("keys with caches of their own share no encoded media", async () => {
  const keys = ["sk-one", "sk-two"];
  const painter = new Painter("seer", FORMAT);
  const isolation = { by: "key", secret: "of this test", sharedPrompts: [] };
  const access = { ...(await accessWith(keys)), isolation };
  const { ask } = await start({ seer: new Seer("seer", FORMAT), painter }, { gateway: { access } });
  for (const key of [...keys, ...keys]) await ask([image(PNG)], key);
  expect(new Set(painter.encoded).size).toBe(2);
  expect(painter.encoded).toHaveLength(2);
});

test("a model whose workers only encode answers no requests, and says so", async () => {
  const { post } = await start({ painter: new Painter("seer", FORMAT) });
  for (const content of ["Hi", [image(PNG)]]) {
    const answer = await post("/v1/chat/completions", {
      model: "seer",
      messages: [{ role: "user", content }],
    });
    expect(answer.status).toBe(503);
    expect((await answer.json()).error).toMatchObject({
      code: "no_worker_ready",
      message: expect.stringContaining("The workers of the model 'seer' only encode media"),
    });
  }
});
