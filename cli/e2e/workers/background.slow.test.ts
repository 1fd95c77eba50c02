import OpenAI from "openai";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { hasNats, startNats } from "../../../runtime/testing/nats-server.ts";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { accessWith } from "./keys-of.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";
import { Reciter, THINKER_TEMPLATE } from "./reciter.ts";
import { eventsUntil, randomOf } from "./streams.ts";

const CALL = '<tool_call>\n{"name": "now", "arguments": {"zone": "é😀"}}\n</tool_call>';
const TEXT = `<think>\nHm.\n</think>\n\n${"A text. ".repeat(40)}\n${CALL}`;
const tools = [{ type: "function" as const, name: "now", parameters: { type: "object" }, strict: false }];

const KEYS = ["sk-one", "sk-two"];

const server = hasNats ? await startNats() : undefined;

afterAll(() => server?.[Symbol.asyncDispose]());

/** The stores, and where they are. */
const STORES = [
  ["memory", undefined],
  ["a folder", `file:${temporaryFolder()}`],
  ...(server === undefined ? [] : [["NATS", `nats://${server.host}`] as const]),
] as const;

describe.each(STORES)("Responses in the background, kept in %s", (_, responsesStore) => {
  const engine = new Reciter("thinker-qwen3", { chatTemplate: THINKER_TEMPLATE });
  let gateways: OwnGateway[];
  let clients: OpenAI[];
  const asked = { model: "thinker-qwen3", input: "Hi", background: true, tools };

  beforeAll(async () => {
    const options = { responsesStore };
    const first = await startOwnGateway({ engine }, options);
    // Another gateway needs no workers to tell what the first one makes.
    const second = responsesStore === undefined ? first : await startOwnGateway({}, options);
    gateways = [first, second];
    clients = gateways.map(({ url }) => new OpenAI({ apiKey: "none", baseURL: `${url}/v1`, maxRetries: 0 }));
  });

  afterEach(() => {
    engine.gate = undefined;
  });

  /** Holds the engine until it is let go. */
  function hold(at: number): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    engine.gate = { at, open: promise };
    return () => resolve();
  }

  const get = async (path: string, from = 1): Promise<Response> =>
    fetch(`${gateways[from]!.url}/v1/responses/${path}`);

  test("are made although nobody waits, and can be retrieved", async () => {
    engine.script = [TEXT];
    const go = hold(50);
    const { id, status, output } = await clients[0]!.responses.create(asked);
    expect([status, output]).toEqual(["in_progress", []]);
    expect(await clients[1]!.responses.retrieve(id)).toMatchObject({ id, status: "in_progress" });
    await expect(clients[0]!.responses.create({ ...asked, previous_response_id: id })).rejects.toMatchObject({
      status: 400,
      code: "response_in_progress",
      param: "previous_response_id",
    });
    go();
    await expect.poll(async () => (await clients[1]!.responses.retrieve(id)).status).toBe("completed");
    const response = await clients[1]!.responses.retrieve(id);
    expect(response.output).toMatchObject([
      { type: "reasoning" },
      { type: "message" },
      { type: "function_call" },
    ]);
  });

  test("are streamed to who comes back, wherever and as often as the stream is cut", async () => {
    engine.script = [TEXT];
    engine.prompts.length = 0;
    const go = hold(200);
    const stream = await clients[0]!.responses.create({ ...asked, stream: true });
    let id = "";
    for await (const event of stream) {
      if (event.type !== "response.created") continue;
      id = event.response.id;
      break;
    }
    // The client has left. What it gets in pieces is what one gets who stays.
    const pieces: string[] = [];
    const random = randomOf(7);
    for (let cut = 0; cut < 60; cut++) {
      if (pieces.length > 100) go();
      const response = await get(`${id}?stream=true&starting_after=${pieces.length - 1}`, cut % 2);
      pieces.push(...(await eventsUntil(response, Math.floor(random() * 30))));
      if (pieces.at(-1)?.includes("event: response.completed")) break;
    }
    const whole = await eventsUntil(await get(`${id}?stream=true`), Number.POSITIVE_INFINITY);
    pieces.push(...whole.slice(pieces.length));
    expect(pieces).toEqual(whole);
    expect(whole.map((event) => JSON.parse(event.split("data: ")[1]!).sequence_number)).toEqual(
      whole.map((_, index) => index),
    );
    expect(whole.at(-1)).toContain("event: response.completed");
    expect(engine.prompts).toHaveLength(1);
  });

  test("can be cancelled, which stops the engine", async () => {
    engine.script = [TEXT];
    hold(100);
    const { id } = await clients[0]!.responses.create(asked);
    const before = engine.cut;
    await eventsUntil(await get(`${id}?stream=true`), 3);
    expect(await clients[1]!.responses.cancel(id)).toMatchObject({ id, status: "cancelled" });
    await expect.poll(() => engine.cut).toBe(before + 1);
    expect(await clients[0]!.responses.retrieve(id)).toMatchObject({ status: "cancelled" });
    const events = await eventsUntil(await get(`${id}?stream=true`), Number.POSITIVE_INFINITY);
    const data = events.map((event) => JSON.parse(event.split("data: ")[1]!));
    expect(data.at(-1)).toMatchObject({ type: "response.cancelled", response: { id, status: "cancelled" } });
    expect(data.map(({ sequence_number }) => sequence_number)).toEqual(data.map((_, index) => index));
    expect(await clients[1]!.responses.cancel(id)).toMatchObject({ status: "cancelled" });
  });

  test("stay deleted if they are deleted while they are made", async () => {
    engine.script = [TEXT];
    hold(100);
    const { id } = await clients[0]!.responses.create(asked);
    const before = engine.cut;
    await eventsUntil(await get(`${id}?stream=true`), 3);
    const following = eventsUntil(await get(`${id}?stream=true`), Number.POSITIVE_INFINITY);
    await clients[1]!.responses.delete(id);
    await expect.poll(() => engine.cut).toBe(before + 1);
    expect((await following).at(-1)).toMatch(/response\.cancelled|was deleted while it was being made/);
    // Whatever the maker stores about its end, it stores before it can make another one.
    engine.gate = undefined;
    const { id: next } = await clients[0]!.responses.create(asked);
    await expect.poll(async () => (await clients[1]!.responses.retrieve(next)).status).toBe("completed");
    for (const client of clients) {
      await expect(client.responses.retrieve(id)).rejects.toMatchObject({ status: 404 });
      await expect(client.responses.inputItems.list(id)).rejects.toMatchObject({ status: 404 });
    }
  });

  test("are as they were cancelled or deleted, however near their end", async () => {
    engine.script = ["Yes."];
    for (let index = 0; index < 30; index++) {
      const { id } = await clients[0]!.responses.create(asked);
      const client = clients[index % 2]!;
      while (engine.recited < index % 5) await new Promise((resolve) => setImmediate(resolve));
      if (index % 3 === 0) {
        const { status } = await client.responses.cancel(id);
        for (const each of clients) expect(await each.responses.retrieve(id)).toMatchObject({ status });
        const events = await eventsUntil(await get(`${id}?stream=true`), Number.POSITIVE_INFINITY);
        expect(events.at(-1)).toContain(`event: response.${status}\n`);
      } else {
        await client.responses.delete(id);
        for (const each of clients)
          await expect(each.responses.retrieve(id)).rejects.toMatchObject({ status: 404 });
      }
    }
  });

  test("say that they have failed", async () => {
    await using broken = await failing();
    const { id } = await broken.client.responses.create({ ...asked, model: "broken" });
    await expect.poll(async () => (await broken.client.responses.retrieve(id)).status).toBe("failed");
    expect(await broken.client.responses.retrieve(id)).toMatchObject({ error: { code: "worker_failed" } });
    const last = await eventsUntil(await fetch(`${broken.url}/v1/responses/${id}?stream=true`), 99);
    expect(last.at(-1)).toContain("event: response.failed");
  });

  test("are refused if they are not to be stored, or streamed again if they were not in the background", async () => {
    await expect(clients[0]!.responses.create({ ...asked, store: false })).rejects.toMatchObject({
      status: 400,
      param: "background",
    });
    engine.script = ["Yes."];
    const { id } = await clients[0]!.responses.create({ ...asked, background: false });
    expect((await get(`${id}?stream=true`)).status).toBe(400);
    expect((await get(`${id}?stream=maybe`)).status).toBe(400);
    expect((await get(`${id}?starting_after=1`)).status).toBe(400);
  });
});

/** A gateway with an engine that throws. */
async function failing() {
  const engine = new Reciter("broken");
  engine.generate = async function* () {
    yield { tokenIds: [] };
    throw new Error("out of ideas");
  };
  const { url } = await startOwnGateway(
    { broken: engine },
    { requestOptions: { retries: 0, migrationLimit: 0 } },
  );
  const client = new OpenAI({ apiKey: "none", baseURL: `${url}/v1`, maxRetries: 0 });
  return { url, client, [Symbol.asyncDispose]: async () => {} };
}

test("a request in the background is refused at once if it must be", async () => {
  const engine = new Reciter("plain");
  const access = await accessWith([KEYS[0]!], { tokens_per_minute: 100 });
  const { url } = await startOwnGateway({ engine }, { access });
  const openai = new OpenAI({ apiKey: KEYS[0]!, baseURL: `${url}/v1`, maxRetries: 0 });
  const ask = { model: "plain", input: "Hi", background: true, max_output_tokens: 500 };
  await openai.responses.create(ask);
  for (const stream of [false, true])
    await expect(openai.responses.create({ ...ask, stream })).rejects.toMatchObject({ status: 429 });
});

test("Responses belong to the key that made them", async () => {
  const engine = new Reciter("plain");
  engine.script = ["Yes."];
  const { url } = await startOwnGateway({ engine }, { access: await accessWith(KEYS) });
  const [one, two] = KEYS.map((key) => new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0 }));
  const { id } = await one!.responses.create({ model: "plain", input: "Hi", background: true });
  expect(await one!.responses.retrieve(id)).toMatchObject({ id });
  for (const ask of [
    () => two!.responses.retrieve(id),
    () => two!.responses.cancel(id),
    () => two!.responses.delete(id),
    () => two!.responses.create({ model: "plain", input: "Hi", previous_response_id: id }),
  ])
    await expect(ask()).rejects.toMatchObject({ status: 404 });
});
