import Anthropic from "@anthropic-ai/sdk";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";
import { Reciter, THINKER_TEMPLATE } from "./reciter.ts";

const engine = new Reciter("qwen3-thinker", { chatTemplate: THINKER_TEMPLATE });
let gateway: OwnGateway;
let client: Anthropic;

beforeAll(async () => {
  gateway = await startOwnGateway({ engine });
  client = new Anthropic({ apiKey: "none", baseURL: gateway.url, maxRetries: 0 });
});

beforeEach(() => {
  engine.prompts.length = 0;
});

type Asked = Anthropic.MessageCreateParamsNonStreaming;

const weather: Anthropic.Tool = {
  name: "get_weather",
  description: "The weather in a city.",
  input_schema: { type: "object", properties: { city: { type: "string" } } },
  cache_control: { type: "ephemeral" },
};
const asked: Asked = {
  model: "qwen3-thinker",
  max_tokens: 1000,
  system: [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }],
  messages: [{ role: "user", content: "How is the weather?" }],
  tools: [weather],
};
const PARIS = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>';
const ANSWER = `<think>\nI must look.\n</think>\n\nI will look it up.\n${PARIS}`;

/** The answer, streamed and whole, which are the same but for their ids. */
async function answer(text: string, more: Partial<Asked> = {}) {
  engine.script = [text];
  const whole = await client.messages.create({ ...asked, ...more });
  const streamed = await client.messages.stream({ ...asked, ...more }).finalMessage();
  const [first, second] = [whole, streamed].map(({ id, content, ...rest }) => {
    expect(id).toMatch(/^msg_/);
    const blocks = content.map((block) => {
      if (block.type !== "tool_use") return block;
      expect(block.id).toMatch(/^toolu_/);
      return { type: block.type, name: block.name, input: block.input };
    });
    return { ...rest, content: blocks };
  });
  expect(second).toMatchObject(JSON.parse(JSON.stringify(first)));
  return first!;
}

describe("Messages with a model on workers", () => {
  test("have thinking, text and tool calls", async () => {
    expect(await answer(ANSWER)).toMatchObject({
      type: "message",
      role: "assistant",
      model: "qwen3-thinker",
      content: [
        { type: "thinking", thinking: "I must look.", signature: expect.stringMatching(/./) },
        { type: "text", text: "I will look it up." },
        { type: "tool_use", name: "get_weather", input: { city: "Paris" } },
      ],
      stop_reason: "tool_use",
      stop_sequence: null,
      usage: { output_tokens: ANSWER.length + 1, cache_read_input_tokens: 0 },
    });
    expect(engine.prompts[0]).toMatch(/get_weather.*<\|system\|>Be brief\.<\|user\|>How is the weather\?/s);
  });

  test("take the results of tools, and earlier thinking", async () => {
    await answer("It is sunny.", {
      messages: [
        { role: "user", content: "Paris?" },
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "Hm.", signature: "any" },
            { type: "tool_use", id: "toolu_1", name: "get_weather", input: { city: "Paris" } },
          ],
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "toolu_1", content: [{ type: "text", text: "sunny" }] },
            { type: "text", text: "Well?" },
          ],
        },
      ],
    });
    expect(engine.prompts[0]).toContain(
      '<|assistant|><think>Hm.</think><tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call><|tool|>sunny<|user|>Well?',
    );
  });

  test("have documents that are text, with their titles, and count them", async () => {
    const document = (source: Anthropic.DocumentBlockParam["source"]) =>
      ({ type: "document", source, title: "Lawns", context: "From a shed." }) as const;
    const texts = document({ type: "content", content: [{ type: "text", text: "Moss is, too." }] });
    const plain = document({ type: "text", media_type: "text/plain", data: "Grass is green." });
    const content = [plain, texts, { type: "text", text: "Why?" } as const];
    const { usage } = await answer("Yes.", { messages: [{ role: "user", content }] });
    expect(engine.prompts[0]).toContain(
      "<|user|>Lawns\nFrom a shed.\nGrass is green.\nLawns\nFrom a shed.\nMoss is, too.\nWhy?",
    );
    const { max_tokens: _, ...counted } = { ...asked, messages: [{ role: "user" as const, content }] };
    expect(await client.messages.countTokens(counted)).toEqual({ input_tokens: usage.input_tokens });
  });

  test("tell why they end", async () => {
    expect(await answer("Yes.")).toMatchObject({ stop_reason: "end_turn" });
    expect(await answer("A long text", { max_tokens: 3 })).toMatchObject({
      stop_reason: "max_tokens",
      content: [{ type: "text", text: "A l" }],
    });
    expect(await answer("One, two", { stop_sequences: [";", ","] })).toMatchObject({
      stop_reason: "stop_sequence",
      stop_sequence: ",",
      content: [{ type: "text", text: "One" }],
    });
    expect(
      await answer(PARIS + PARIS, { tool_choice: { type: "auto", disable_parallel_tool_use: true } }),
    ).toMatchObject({ stop_reason: "tool_use", content: [{ type: "tool_use" }] });
  });

  test("turn thinking on and off", async () => {
    await answer("Yes.", { thinking: { type: "disabled" } });
    expect(engine.prompts[0]).toMatch(/<think>\n\n<\/think>\n\n$/);
    await answer("Yes.", { thinking: { type: "enabled", budget_tokens: 1024 } });
    expect(engine.prompts.at(-1)).toMatch(/<\|assistant\|>$/);
  });

  test("can be counted", async () => {
    const { max_tokens: _, ...counted } = asked;
    const { input_tokens } = await client.messages.countTokens(counted);
    const { usage } = await answer("Yes.");
    expect(usage.input_tokens + (usage.cache_read_input_tokens ?? 0)).toBe(input_tokens);
  });

  test("and the list of models have Anthropic's shape", async () => {
    const models = await client.models.list();
    expect(models.data).toEqual([
      { type: "model", id: "qwen3-thinker", display_name: "qwen3-thinker", created_at: expect.any(String) },
    ]);
    expect(await client.models.retrieve("qwen3-thinker")).toMatchObject({ type: "model" });
  });

  test.each([
    [{ max_tokens: undefined }, "max_tokens"],
    [{ tools: [{ type: "web_search_20250305", name: "web_search" }] }, "web_search_20250305"],
    [{ tool_choice: { type: "tool", name: "f" } }, "tool_choice.name"],
    [
      { messages: [{ role: "user", content: [{ type: "image", source: { type: "url", url: "x" } }] }] },
      "messages[0].content[0]",
    ],
    [{ messages: [] }, "messages"],
  ])("refuse %j in Anthropic's shape", async (more, path) => {
    const response = await gateway.post("/v1/messages", { ...asked, ...more });
    expect(response.status).toBe(400);
    const body = await response.json();
    expect(body).toMatchObject({ type: "error", error: { type: "invalid_request_error" } });
    expect(body.error.message).toContain(path);
  });
});
