import OpenAI from "openai";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";
import { Reciter, THINKER_TEMPLATE } from "./reciter.ts";

const engine = new Reciter("qwen3-thinker", { chatTemplate: THINKER_TEMPLATE });
let gateway: OwnGateway;
let client: OpenAI;

beforeAll(async () => {
  gateway = await startOwnGateway({ engine });
  client = new OpenAI({ apiKey: "none", baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});

beforeEach(() => {
  engine.prompts.length = 0;
});

type Asked = OpenAI.Responses.ResponseCreateParamsNonStreaming;

const weather: OpenAI.Responses.FunctionTool = {
  type: "function",
  name: "get_weather",
  description: "The weather in a city.",
  parameters: { type: "object", properties: { city: { type: "string" } } },
  strict: false,
};
const asked: Asked = { model: "qwen3-thinker", input: "How is the weather?", tools: [weather] };
const PARIS = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>';
const ANSWER = `<think>\nI must look.\n</think>\n\nI will look it up.\n${PARIS}`;

/** The response, streamed and whole, which are the same but for ids and time. */
async function answer(text: string, more: Partial<Asked> = {}) {
  engine.script = [text];
  const whole = await client.responses.create({ ...asked, ...more });
  const streamed = await client.responses.stream({ ...asked, ...more } as never).finalResponse();
  const plain = (response: object) =>
    JSON.parse(JSON.stringify(response), (key, value) =>
      ["id", "call_id", "created_at", "parsed", "parsed_arguments", "output_parsed"].includes(key)
        ? undefined
        : value,
    );
  expect(plain(streamed)).toEqual(plain(whole));
  return whole;
}

describe("Responses with a model on workers", () => {
  test("have reasoning, text and calls", async () => {
    const { id, output, usage, ...response } = await answer(ANSWER, { instructions: "Be brief." });
    expect(id).toMatch(/^resp_/);
    expect(response).toMatchObject({
      object: "response",
      status: "completed",
      model: "qwen3-thinker",
      output_text: "I will look it up.",
      instructions: "Be brief.",
      error: null,
      incomplete_details: null,
    });
    expect(output).toMatchObject([
      { type: "reasoning", content: [{ type: "reasoning_text", text: "I must look." }] },
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "I will look it up." }] },
      { type: "function_call", name: "get_weather", arguments: '{"city": "Paris"}' },
    ]);
    expect(new Set(output.map((item) => item.id)).size).toBe(3);
    expect(usage).toMatchObject({
      output_tokens: ANSWER.length + 1,
      output_tokens_details: { reasoning_tokens: "\nI must look.\n</think>".length },
    });
    expect(engine.prompts[0]).toMatch(/get_weather.*<\|system\|>Be brief\.<\|user\|>How is the weather\?/s);
  });

  test("stream every event once, in order", async () => {
    engine.script = [ANSWER];
    const types: string[] = [];
    let next = 0;
    for await (const event of await client.responses.create({ ...asked, stream: true })) {
      expect(event.sequence_number).toBe(next++);
      if (event.type !== types.at(-1)) types.push(event.type);
    }
    const item = (part: string, hasContent = true) => [
      "response.output_item.added",
      ...(hasContent ? ["response.content_part.added"] : []),
      `${part}.delta`,
      `${part}.done`,
      ...(hasContent ? ["response.content_part.done"] : []),
      "response.output_item.done",
    ];
    expect(types).toEqual([
      "response.created",
      "response.in_progress",
      ...item("response.reasoning_text"),
      ...item("response.output_text"),
      ...item("response.function_call_arguments", false),
      "response.completed",
    ]);
  });

  test("tell reasoning as a summary to clients that ask for one", async () => {
    const { output } = await answer(ANSWER, { reasoning: { summary: "auto" } });
    expect(output[0]).toMatchObject({
      type: "reasoning",
      content: [],
      summary: [{ type: "summary_text", text: "I must look." }],
    });
    await answer("Yes.", { input: [...output, { role: "user", content: "Well?" }] as never });
    expect(engine.prompts.at(-1)).toContain("<think>I must look.</think>");
  });

  test("continue the conversation of a stored one, and of items", async () => {
    const first = await answer(ANSWER);
    const [, , call] = first.output as [unknown, unknown, OpenAI.Responses.ResponseFunctionToolCall];
    const output = { type: "function_call_output" as const, call_id: call.call_id, output: "sunny" };
    await answer("It is sunny.", { previous_response_id: first.id, input: [output] });
    const expected =
      '<|user|>How is the weather?<|assistant|><think>I must look.</think>I will look it up.<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call><|tool|>sunny<|assistant|>';
    expect(engine.prompts.at(-1)).toContain(expected);
    const references = first.output.map(({ id }) => ({ type: "item_reference" as const, id: id! }));
    await answer("It is sunny.", {
      input: [{ role: "user", content: "How is the weather?" }, ...references, output],
    });
    expect(engine.prompts.at(-1)).toContain(expected);
  });

  test("call functions in namespaces", async () => {
    const { name, description, parameters, strict } = weather;
    const tools = [
      {
        type: "namespace",
        name: "city",
        description: "",
        tools: [{ type: "function", name, description, parameters, strict }],
      },
    ] as never;
    const first = await answer(PARIS.replace("get_weather", "city.get_weather"), { tools });
    expect(engine.prompts[0]).toContain('"name": "city.get_weather"');
    expect(first.output).toMatchObject([{ type: "function_call", name: "get_weather", namespace: "city" }]);
    await answer("Yes.", {
      tools,
      input: [...(first.output as never[]), { role: "user", content: "Well?" }],
    });
    expect(engine.prompts.at(-1)).toContain('<tool_call>{"name": "city.get_weather"');
  });

  test("can be retrieved and deleted, with the items of their input", async () => {
    const text = (text: string) => ({
      role: "user" as const,
      content: [{ type: "input_text" as const, text }],
    });
    const input = [
      { ...text("One"), id: "msg_1" },
      { role: "user" as const, content: "Two" },
      { ...text("Three"), id: "msg_1" },
    ];
    const response = await answer("Yes.", { input, metadata: { topic: "numbers" } });
    const { output_text: _, ...stored } = response;
    expect(await client.responses.retrieve(response.id)).toMatchObject(JSON.parse(JSON.stringify(stored)));
    const items = await client.responses.inputItems.list(response.id, { order: "asc", limit: 1 });
    expect(items.data).toMatchObject([text("One")]);
    expect(items.has_more).toBe(true);
    const all = [];
    for await (const item of client.responses.inputItems.list(response.id, { limit: 1 })) all.push(item);
    expect(all).toMatchObject([text("Three"), text("Two"), text("One")]);
    expect(all.every(({ type }) => type === "message")).toBe(true);
    await expect(client.responses.cancel(response.id)).rejects.toMatchObject({ status: 400 });
    await client.responses.delete(response.id);
    await expect(client.responses.retrieve(response.id)).rejects.toMatchObject({
      status: 404,
      code: "response_not_found",
    });
  });

  test("are not kept if they are not to be stored", async () => {
    const { id } = await answer("Yes.", { store: false });
    await expect(client.responses.retrieve(id)).rejects.toMatchObject({ status: 404 });
    await expect(answer("Yes.", { previous_response_id: id })).rejects.toMatchObject({
      status: 404,
      param: "previous_response_id",
    });
  });

  test("say that they are incomplete", async () => {
    expect(await answer("A long text", { max_output_tokens: 3 })).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
      output: [{ status: "incomplete", content: [{ text: "A l" }] }],
    });
  });

  test("count their input, and leave out the oldest if they may", async () => {
    const { input_tokens } = await client.responses.inputTokens.count({
      model: "qwen3-thinker",
      input: "How is the weather?",
      tools: [weather],
    });
    const { usage } = await answer("Yes.");
    expect(input_tokens).toBe(usage?.input_tokens);
    const long = Array.from({ length: 30 }, (_, index) => ({
      role: "user" as const,
      content: `${index} ${"x".repeat(1000)}`,
    }));
    await expect(answer("Yes.", { input: long })).rejects.toMatchObject({ code: "context_length_exceeded" });
    await answer("Yes.", { input: long, truncation: "auto" });
    expect(engine.prompts.at(-1)).toContain("<|user|>29 xxx");
    expect(engine.prompts.at(-1)).not.toContain("<|user|>0 xxx");
  });

  test("have log probabilities if they are included", async () => {
    const { output } = await answer("Yes.", { include: ["message.output_text.logprobs"] });
    expect(output).toMatchObject([{ content: [{ logprobs: Array(4).fill({ logprob: -0.5 }) }] }]);
  });

  test("are kept in a folder that several gateways share", async () => {
    const responsesStore = `file:${temporaryFolder()}`;
    const gateways = await Promise.all(
      ["one", "two"].map((name) => startOwnGateway({ [name]: new Reciter("plain") }, { responsesStore })),
    );
    const [one, two] = gateways.map(
      ({ url }) => new OpenAI({ apiKey: "none", baseURL: `${url}/v1`, maxRetries: 0 }),
    );
    const { id } = await one!.responses.create({ model: "plain", input: "Hi" });
    expect(await two!.responses.retrieve(id)).toMatchObject({ id });
    const next = await two!.responses.create({ model: "plain", input: "Hi", previous_response_id: id });
    expect(next.previous_response_id).toBe(id);
    await two!.responses.delete(id);
    await expect(one!.responses.retrieve(id)).rejects.toMatchObject({ status: 404 });
  });

  test.each([
    [{ tools: [{ type: "web_search" }] }, "tools[0].type"],
    [{ input: [{ type: "computer_call", call_id: "1" }] }, "input[0]"],
    [{ input: [{ role: "user", content: [{ type: "input_image", image_url: "x" }] }] }, "input"],
    [{ input: undefined }, "input"],
    [{ input: [{ type: "item_reference", id: "msg_0000000000000000_0" }] }, "input[0].id"],
    [{ prompt: { id: "pmpt_1" } }, "prompt"],
    [{ tool_choice: { type: "function", name: "f" } }, "tool_choice.name"],
    [{ tools: [weather, weather] }, "tools"],
    [{ tools: [{ ...weather, name: "get weather" }] }, "tools[0].name"],
    [{ include: ["everything"] }, "include[0]"],
    [{ metadata: { ["k".repeat(65)]: "v" } }, `metadata.${"k".repeat(65)}`],
  ])("refuse %j", async (more, param) => {
    const response = await gateway.post("/v1/responses", { ...asked, ...more });
    expect([400, 404]).toContain(response.status);
    expect((await response.json()).error).toMatchObject({ param });
  });

  test.each([
    ["GET", "/v1/responses/resp_1/events", 404, "unknown_route"],
    ["POST", "/v1/responses/resp_1/input_items", 405, "method_not_allowed"],
    ["GET", "/v1/conversations/conv_1/items/msg_1/parts", 404, "unknown_route"],
    ["PUT", "/v1/conversations/conv_1", 405, "method_not_allowed"],
  ])("%s %s is refused", async (method, path, status, code) => {
    const response = await fetch(gateway.url + path, { method });
    expect([response.status, (await response.json()).error.code]).toEqual([status, code]);
  });
});
