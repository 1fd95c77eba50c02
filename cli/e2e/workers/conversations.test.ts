import OpenAI from "openai";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { accessWith } from "./keys-of.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";
import { Reciter } from "./reciter.ts";

const engine = new Reciter("plain");
const model = "plain";

/** A client that does not try again. */
const clientOf = (url: string, apiKey = "none") =>
  new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 });

const user = (content: string) => ({ type: "message" as const, role: "user" as const, content });

const textsOf = (items: readonly OpenAI.Conversations.ConversationItem[]) =>
  items.map((item) =>
    (item as OpenAI.Conversations.Message).content.map((part) => Reflect.get(part, "text")),
  );

describe("conversations", () => {
  let gateway: OwnGateway;
  let client: OpenAI;

  beforeAll(async () => {
    gateway = await startOwnGateway({ engine });
    client = clientOf(gateway.url);
  });

  beforeEach(() => {
    engine.script = ["Yes."];
    engine.prompts.length = 0;
  });

  const textsIn = async (id: string) =>
    textsOf((await client.conversations.items.list(id, { order: "asc" })).data).flat();

  test("are created, changed and deleted", async () => {
    const created = await client.conversations.create({ metadata: { topic: "a" } });
    expect(created).toEqual({
      id: expect.stringMatching(/^conv_/),
      object: "conversation",
      created_at: expect.any(Number),
      metadata: { topic: "a" },
    });
    const { id } = created;
    expect(await client.conversations.retrieve(id)).toEqual(created);
    const changed = await client.conversations.update(id, { metadata: { topic: "b" } });
    expect(changed).toEqual({ ...created, metadata: { topic: "b" } });
    expect(await client.conversations.retrieve(id)).toEqual(changed);
    expect(await client.conversations.update(id, { metadata: null })).toEqual({ ...created, metadata: {} });
    expect(await client.conversations.delete(id)).toEqual({
      id,
      object: "conversation.deleted",
      deleted: true,
    });
    await expect(client.conversations.retrieve(id)).rejects.toMatchObject({
      status: 404,
      type: "invalid_request_error",
      message: expect.stringContaining(`Conversation with id '${id}' not found.`),
    });
  });

  test("are no responses, and responses no conversations", async () => {
    const { id } = await client.conversations.create({});
    const { id: response } = await client.responses.create({ model, input: "Hi" });
    const asked = [
      () => client.responses.retrieve(id),
      () => client.responses.inputItems.list(id),
      () => client.responses.cancel(id),
      () => client.responses.delete(id),
      () => client.responses.create({ model, input: "Hi", previous_response_id: id }),
      () => client.conversations.retrieve(response),
      () => client.conversations.items.list(response),
      () => client.conversations.delete(response),
    ];
    for (const each of asked) await expect(each()).rejects.toMatchObject({ status: 404 });
    expect((await client.conversations.retrieve(id)).id).toBe(id);
    expect((await client.responses.retrieve(response)).id).toBe(response);
  });

  test("may begin empty, without a body", async () => {
    const response = await fetch(`${gateway.url}/v1/conversations`, { method: "POST" });
    expect(await response.json()).toMatchObject({ object: "conversation", metadata: {} });
  });

  test("have items, which are added, listed in pages, and removed", async () => {
    const { id } = await client.conversations.create({ items: [user("one"), user("two")] });
    const added = await client.conversations.items.create(id, {
      items: [
        { type: "function_call", call_id: "1", name: "f", arguments: "{}" },
        { type: "function_call_output", call_id: "1", output: "sunny" },
        { type: "message", role: "assistant", content: "three" },
      ],
    });
    expect(added).toMatchObject({ object: "list", has_more: false });
    expect(added.data).toMatchObject([
      { type: "function_call", status: "completed" },
      { type: "function_call_output" },
      { type: "message", content: [{ type: "output_text", text: "three", annotations: [] }] },
    ]);
    const page = await client.conversations.items.list(id, { limit: 2 });
    expect(page.data.map(({ id }) => id)).toEqual([added.data[2]!.id, added.data[1]!.id]);
    expect(page).toMatchObject({ last_id: added.data[1]!.id, has_more: true });
    const all = [];
    for await (const item of client.conversations.items.list(id, { limit: 2, order: "asc" })) all.push(item);
    expect(all.map(({ type }) => type)).toEqual([
      "message",
      "message",
      "function_call",
      "function_call_output",
      "message",
    ]);
    const [first] = all;
    const place = { conversation_id: id };
    expect(await client.conversations.items.retrieve(first!.id!, place)).toEqual({
      ...user("one"),
      id: expect.stringMatching(/^msg_/),
      status: "completed",
      content: [{ type: "input_text", text: "one" }],
    });
    expect(await client.conversations.items.delete(first!.id!, place)).toMatchObject({ id });
    await expect(client.conversations.items.retrieve(first!.id!, place)).rejects.toMatchObject({
      status: 404,
      message: expect.stringContaining(`Item with id '${first!.id}' not found.`),
    });
  });

  test.each([
    ["", { metadata: { a: 1 } }, "metadata.a"],
    ["", { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [i, "x"])) }, "metadata"],
    ["", { metadata: { a: "x".repeat(513) } }, "metadata.a"],
    ["", { items: Array(21).fill(user("x")) }, "items"],
    ["", { items: [{ type: "computer_call", call_id: "1" }] }, "items[0]"],
    ["", { items: [{ type: "item_reference", id: "msg_0000000000000000_0" }] }, "items[0].id"],
    ["", { items: [user("x"), { ...user("x"), id: "" }] }, "items[1].id"],
    ["", { items: ["a", "d", "d", "b"].map((id) => ({ ...user("x"), id })) }, "items[2].id"],
    ["/items", { items: [] }, "items"],
    ["/items", {}, "items"],
    ["/items?include=everything", { items: [user("x")] }, "include"],
  ])("refuse to create%s %j", async (path, body, param) => {
    const { id } = await client.conversations.create();
    const response = await gateway.post(`/v1/conversations${path && `/${id}${path}`}`, body);
    expect([400, 404]).toContain(response.status);
    expect((await response.json()).error).toMatchObject({ type: "invalid_request_error", param });
  });

  test("get no item twice", async () => {
    const item = { ...user("one"), id: "msg_a" };
    const { id } = await client.conversations.create({ items: [item] });
    const response = await gateway.post(`/v1/conversations/${id}/items`, { items: [user("two"), item] });
    expect(response.status).toBe(400);
    expect((await response.json()).error).toMatchObject({
      type: "invalid_request_error",
      param: "items[1].id",
    });
    expect(await textsIn(id)).toEqual(["one"]);
  });

  test.each(["limit=0", "limit=101", "order=up", "include[]=everything", "after=msg_1"])(
    "refuse to list items with %s",
    async (query) => {
      const { id } = await client.conversations.create();
      const response = await fetch(`${gateway.url}/v1/conversations/${id}/items?${query}`);
      expect([400, 404]).toContain(response.status);
      const { error } = await response.json();
      expect(error.param).toBe(query.split(/[[=]/)[0]);
    },
  );

  describe("that responses continue", () => {
    const answer = (conversation: string | { id: string }, input: string, more: object = {}) =>
      client.responses.create({ model, conversation, input, ...more });

    test("come before their input, and get it and their output", async () => {
      const { id } = await client.conversations.create({ items: [user("One?")] });
      const first = await answer(id, "Two?");
      expect(first.conversation).toEqual({ id });
      expect(engine.prompts[0]).toMatch(/One\?[\s\S]*Two\?/);
      expect(await textsIn(id)).toEqual(["One?", "Two?", "Yes."]);
      const stream = await client.responses.create({
        model,
        conversation: { id },
        input: "Three?",
        stream: true,
      });
      for await (const event of stream)
        if (event.type === "response.completed") expect(event.response.conversation).toEqual({ id });
      expect(engine.prompts[1]).toMatch(/One\?[\s\S]*Two\?[\s\S]*Yes\.[\s\S]*Three\?/);
      expect(await textsIn(id)).toEqual(["One?", "Two?", "Yes.", "Three?", "Yes."]);
      expect(await client.responses.retrieve(first.id)).toMatchObject({ conversation: { id } });
      const [item] = first.output;
      expect(await client.conversations.items.retrieve(item!.id!, { conversation_id: id })).toMatchObject({
        id: item!.id,
      });
      const { input_tokens } = await client.responses.inputTokens.count({
        model,
        conversation: id,
        input: "Hi",
      });
      const alone = await client.responses.inputTokens.count({ model, input: "Hi" });
      expect(input_tokens).toBeGreaterThan(alone.input_tokens);
    });

    test("also get responses that are not stored, or are made in the background", async () => {
      const { id } = await client.conversations.create();
      await answer(id, "One?", { store: false });
      const { id: responseId } = await answer(id, "Two?", { background: true });
      await expect.poll(async () => (await client.responses.retrieve(responseId)).status).toBe("completed");
      expect(await textsIn(id)).toEqual(["One?", "Yes.", "Two?", "Yes."]);
    });

    test("have items to which the input may refer, and which they get once", async () => {
      const { id } = await client.conversations.create({ items: [user("One?")] });
      const [item] = (await client.conversations.items.list(id)).data;
      await client.responses.create({
        model,
        conversation: id,
        input: [{ type: "item_reference", id: item!.id! }],
      });
      expect(await textsIn(id)).toEqual(["One?", "Yes."]);
    });

    test("are what a response had that another one continues", async () => {
      const { id } = await client.conversations.create({ items: [user("One?")] });
      const first = await answer(id, "Two?");
      await answer(id, "Three?");
      await client.responses.create({ model, previous_response_id: first.id, input: "Four?" });
      expect(engine.prompts.at(-1)).toMatch(/One\?[\s\S]*Two\?[\s\S]*Yes\.[\s\S]*Four\?/);
      expect(engine.prompts.at(-1)).not.toContain("Three?");
    });

    test("must exist, and exclude a previous response", async () => {
      const { id } = await client.conversations.create();
      const { id: responseId } = await answer(id, "One?");
      await expect(answer("conv_0000000000000000", "Two?")).rejects.toMatchObject({
        status: 404,
        param: "conversation",
      });
      await expect(answer(id, "Two?", { previous_response_id: responseId })).rejects.toMatchObject({
        status: 400,
        code: "mutually_exclusive_parameters",
      });
    });
  });
});

test("conversations belong to the key that created them", async () => {
  const names = ["sk-one", "sk-two"];
  const { url } = await startOwnGateway({ engine }, { access: await accessWith(names) });
  const [one, two] = names.map((key) => clientOf(url, key));
  const { id } = await one!.conversations.create({ items: [user("Hi")] });
  const [item] = (await one!.conversations.items.list(id)).data;
  const place = { conversation_id: id };
  for (const ask of [
    () => two!.conversations.retrieve(id),
    () => two!.conversations.update(id, { metadata: {} }),
    () => two!.conversations.delete(id),
    () => two!.conversations.items.list(id),
    () => two!.conversations.items.create(id, { items: [user("x")] }),
    () => two!.conversations.items.retrieve(item!.id!, place),
    () => two!.conversations.items.delete(item!.id!, place),
    () => two!.responses.create({ model, conversation: id, input: "Hi" }),
  ])
    await expect(ask()).rejects.toMatchObject({ status: 404 });
  expect((await one!.conversations.items.list(id)).data).toEqual([item]);
});
