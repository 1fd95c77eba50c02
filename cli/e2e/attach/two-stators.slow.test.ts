import OpenAI from "openai";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { accessWith } from "../workers/keys-of.ts";
import { startOwnGateway } from "../workers/own-gateway.ts";
import { Reciter } from "../workers/reciter.ts";
import { eventsUntil } from "../workers/streams.ts";

// A gateway in front of another one, which is like an engine with Responses and Conversations whose ids look like its own.

const INNER_KEY = "sk-inner";
const KEYS = ["sk-one", "sk-two"];

describe.each([
  ["without keys", {}],
  ["with keys at the inner one", { inner: true }],
  ["with keys at the outer one", { outer: true }],
  ["with keys at both", { inner: true, outer: true }],
])("Stator in front of Stator, %s", (_, has: { inner?: boolean; outer?: boolean }) => {
  const engine = new Reciter("plain");
  const ask = { model: "plain", input: "Paris?" };
  let url: string;
  let openai: OpenAI;
  let other: OpenAI;

  beforeAll(async () => {
    const inner = await startOwnGateway(
      { engine },
      has.inner ? { access: await accessWith([INNER_KEY]) } : {},
    );
    const engines = [{ url: inner.url, ...(has.inner && { apiKey: INNER_KEY }) }];
    ({ url } = await startOwnGateway({}, { engines, ...(has.outer && { access: await accessWith(KEYS) }) }));
    [openai, other] = KEYS.map((apiKey) => new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 })) as [
      OpenAI,
      OpenAI,
    ];
  });

  beforeEach(() => {
    engine.script = ["Yes."];
    engine.prompts.length = 0;
    engine.gate = undefined;
  });

  test("a response is retrieved, continued and deleted", async () => {
    const first = await openai.responses.create(ask);
    expect(await openai.responses.retrieve(first.id)).toMatchObject({ output_text: "Yes." });
    const stream = await openai.responses.create({
      ...ask,
      input: "Sure?",
      previous_response_id: first.id,
      stream: true,
    });
    for await (const event of stream)
      if (event.type === "response.completed") expect(event.response.output_text).toBeUndefined();
    expect(engine.prompts.at(-1)).toContain("Paris?");
    expect((await openai.responses.inputItems.list(first.id)).data).toHaveLength(1);
    await openai.responses.delete(first.id);
    for (const each of [
      () => openai.responses.retrieve(first.id),
      () => openai.responses.delete(first.id),
      () => openai.responses.create({ ...ask, previous_response_id: first.id }),
    ])
      await expect(each()).rejects.toMatchObject({ status: 404, code: "response_not_found" });
  });

  test("a response in the background is followed and cancelled", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    engine.gate = { at: 2, open: promise };
    const { id, status } = await openai.responses.create({ ...ask, background: true });
    expect(status).toBe("in_progress");
    const events = () =>
      fetch(`${url}/v1/responses/${id}?stream=true`, { headers: { authorization: `Bearer ${KEYS[0]}` } });
    const before = await eventsUntil(await events(), 3);
    resolve();
    const all = await eventsUntil(await events(), Number.POSITIVE_INFINITY);
    expect(all.slice(0, 3)).toEqual(before);
    expect(all.at(-1)).toContain("event: response.completed");
    engine.gate = { at: 2, open: new Promise(() => {}) };
    engine.prompts.length = 0;
    const held = await openai.responses.create({ ...ask, background: true });
    await expect.poll(() => engine.prompts).toHaveLength(1);
    const cuts = engine.cut;
    await openai.responses.cancel(held.id);
    await expect.poll(() => engine.cut).toBe(cuts + 1);
    await expect.poll(async () => (await openai.responses.retrieve(held.id)).status).toBe("cancelled");
  });

  test("a response that is cancelled at once leaves nothing running", async () => {
    engine.gate = { at: 2, open: new Promise(() => {}) };
    const cuts = engine.cut;
    for (let index = 0; index < 20; index++) {
      const { id } = await openai.responses.create({ ...ask, background: true });
      await openai.responses.cancel(id);
      await expect.poll(async () => (await openai.responses.retrieve(id)).status).toBe("cancelled");
    }
    await expect.poll(() => engine.cut - cuts).toBe(engine.prompts.length);
  });

  test("a conversation is continued by responses", async () => {
    const { id } = await openai.conversations.create({ metadata: { topic: "cities" } });
    await openai.responses.create({ ...ask, conversation: id });
    await openai.responses.create({ ...ask, input: "Oslo?", conversation: id });
    expect(engine.prompts.at(-1)).toContain("Paris?");
    expect((await openai.conversations.items.list(id)).data).toHaveLength(4);
    await openai.conversations.delete(id);
    await expect(openai.conversations.retrieve(id)).rejects.toMatchObject({ status: 404 });
  });

  test("nothing belongs to another key", async () => {
    const { id } = await openai.responses.create(ask);
    const { id: conversation } = await openai.conversations.create({});
    if (has.outer) {
      await expect(other.responses.retrieve(id)).rejects.toMatchObject({ status: 404 });
      await expect(other.conversations.retrieve(conversation)).rejects.toMatchObject({ status: 404 });
    } else expect(await other.responses.retrieve(id)).toMatchObject({ id });
  });
});

test.each([
  ["the same model", ["plain", "plain"]],
  ["different models", ["plain", "other"]],
])("a gateway that has just started finds what two inner ones with %s keep", async (_, names) => {
  const inner = await Promise.all(
    names.map((name) => {
      const engine = new Reciter(name);
      engine.script = ["Yes."];
      return startOwnGateway({ engine });
    }),
  );
  const engines = inner.map(({ url }) => ({ url }));
  const [before, after] = await Promise.all(
    [1, 2].map(async () => {
      const { url } = await startOwnGateway({}, { engines });
      return new OpenAI({ apiKey: "none", baseURL: `${url}/v1`, maxRetries: 0 });
    }),
  );
  const made = [];
  for (let index = 0; index < 6; index++) {
    const model = names[index % 2]!;
    made.push(await before!.responses.create({ model, input: "Paris?" }));
  }
  for (const { id, model } of made) {
    expect(await after!.responses.retrieve(id)).toMatchObject({ id, model });
    const next = await after!.responses.create({ model, input: "Sure?", previous_response_id: id });
    expect((await after!.responses.inputItems.list(next.id)).data).toHaveLength(1);
    await after!.responses.delete(id);
    for (const openai of [before!, after!])
      await expect(openai.responses.retrieve(id)).rejects.toMatchObject({ code: "response_not_found" });
  }
  const { id } = made.at(-1)!;
  for (const openai of [before!, after!]) {
    for (const unknown of [id, "resp_0123456789abcdef", "resp-other"])
      await expect(openai.responses.retrieve(unknown)).rejects.toMatchObject({ status: 404 });
    const kept = await openai.responses.create({ model: names[1]!, input: "Paris?" });
    const continued = (each: OpenAI) =>
      each.responses.create({ model: names[0]!, input: "Sure?", previous_response_id: kept.id });
    if (names[0] === names[1]) await continued(openai);
    else
      for (const each of [before!, after!])
        await expect(continued(each)).rejects.toMatchObject({ status: 400, param: "previous_response_id" });
  }
});
