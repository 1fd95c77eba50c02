import OpenAI from "openai";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { askBothWays } from "./both-ways.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";
import { Reciter, THINKER_TEMPLATE } from "./reciter.ts";

const thinker = new Reciter("qwen3-thinker", { chatTemplate: THINKER_TEMPLATE });
const plain = new Reciter("plain", {
  chatTemplate: "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}",
});
let gateway: OwnGateway;
let client: OpenAI;

beforeAll(async () => {
  gateway = await startOwnGateway({ thinker, plain });
  client = new OpenAI({ apiKey: "none", baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});

beforeEach(() => {
  for (const engine of [thinker, plain]) engine.prompts.length = 0;
});

const weather = {
  type: "function" as const,
  function: {
    name: "get_weather",
    description: "The weather in a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const time = { type: "function" as const, function: { name: "get_time", parameters: { type: "object" } } };
const messages = [{ role: "user" as const, content: "How is the weather in Paris?" }];
const asked = { model: "qwen3-thinker", messages, tools: [weather, time] };

const call = (name: string, args: object) =>
  `<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`;
const PARIS = call("get_weather", { city: "Paris" });
const ANSWER = `<think>\nI must look.\n</think>\n\nI will look it up.\n${PARIS}\n${call("get_time", {})}`;

/** The answer, streamed and whole, which are the same. */
async function answer(text: string, more: object = {}) {
  const engine = "model" in more && more.model === "plain" ? plain : thinker;
  engine.script = [text];
  const { whole, streamed, reasoning } = await askBothWays(client, { ...asked, ...more });
  Object.assign(streamed.choices[0]!.message, { reasoning_content: reasoning || undefined });
  const [first, second] = [whole, streamed].map(({ choices: [choice] }) => ({
    finish: choice!.finish_reason,
    content: choice!.message.content || null,
    reasoning: Reflect.get(choice!.message, "reasoning_content"),
    calls: choice!.message.tool_calls?.map((each) => {
      expect(each.id).toMatch(/^call_\w+$/);
      return each.type === "function" ? [each.function.name, each.function.arguments] : [];
    }),
  }));
  expect(second).toEqual(first);
  return { ...first!, usage: whole.usage };
}

describe("tools of a chat with a model on workers", () => {
  test("are called, after reasoning and text", async () => {
    const { usage, ...said } = await answer(ANSWER);
    expect(said).toEqual({
      finish: "tool_calls",
      content: "I will look it up.",
      reasoning: "I must look.",
      calls: [
        ["get_weather", '{"city":"Paris"}'],
        ["get_time", "{}"],
      ],
    });
    expect(usage?.completion_tokens_details?.reasoning_tokens).toBe("\nI must look.\n</think>".length);
    expect(thinker.prompts[0]).toContain('"name": "get_weather"');
  });

  test("are called by the client's tool loop", async () => {
    thinker.script = [PARIS, "<think>\nGood.\n</think>\n\nIt is sunny."];
    const runner = client.chat.completions.runTools({
      ...asked,
      tools: [
        {
          type: "function",
          function: {
            ...weather.function,
            parse: JSON.parse,
            function: ({ city }: { city: string }) => `${city}: sunny`,
          },
        },
      ],
    });
    expect(await runner.finalContent()).toBe("It is sunny.");
    expect(thinker.prompts.at(-1)).toContain(
      '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call><|tool|>Paris: sunny',
    );
  });

  test("are called once if calls are not parallel, and the worker stops", async () => {
    const said = await answer(`${PARIS}\n${call("get_time", {})} and more`, { parallel_tool_calls: false });
    expect(said).toMatchObject({ finish: "tool_calls", calls: [["get_weather", '{"city":"Paris"}']] });
    expect(said.content).toBeNull();
    await expect.poll(() => thinker.recited).toBeLessThan(PARIS.length + 20);
  });

  test("are not called if the choice is none", async () => {
    const said = await answer(`Look: ${PARIS}`, { tool_choice: "none" });
    expect(said).toMatchObject({ finish: "stop", content: `Look: ${PARIS}` });
    expect(thinker.prompts[0]).not.toContain("get_weather");
  });

  test("are offered only as far as they are allowed", async () => {
    const allowed = { mode: "auto", tools: [{ type: "function", function: { name: "get_time" } }] };
    await answer("No.", { tool_choice: { type: "allowed_tools", allowed_tools: allowed } });
    expect(thinker.prompts[0]).toContain("get_time");
    expect(thinker.prompts[0]).not.toContain("get_weather");
  });

  test("are described to models whose template ignores them", async () => {
    const said = await answer(PARIS, { model: "plain" });
    expect(said).toMatchObject({ finish: "tool_calls", calls: [["get_weather", '{"city":"Paris"}']] });
    expect(plain.prompts[0]).toMatch(/<\|system\|># Tools[\s\S]*get_weather/);
  });

  test("an answer that breaks off is honest", async () => {
    const said = await answer(PARIS, { max_tokens: PARIS.indexOf("Par") + 2 });
    expect(said).toMatchObject({ finish: "length", calls: [["get_weather", '{"city":"Pa']] });
  });

  test("with log probabilities, every token has one", async () => {
    const logprobs = { logprobs: true, top_logprobs: 0 };
    thinker.script = [ANSWER];
    const whole = await client.chat.completions.create({ ...asked, ...logprobs });
    const streamed = await client.chat.completions.stream({ ...asked, ...logprobs }).finalChatCompletion();
    for (const { choices } of [whole, streamed])
      expect(choices[0]!.logprobs?.content?.length).toBe(new TextEncoder().encode(ANSWER).length);
  });

  test.each([
    [{ tool_choice: { type: "function", function: { name: "f" } } }, "tool_choice.function.name"],
    [{ tools: [], tool_choice: "required" }, "tool_choice"],
    [{ tools: [{ type: "web_search" }] }, "tools[0].type"],
    [{ tools: [{ type: "function", function: {} }] }, "tools[0].function.name"],
    [
      { tools: [{ type: "function", function: { name: "f", parameters: 1 } }] },
      "tools[0].function.parameters",
    ],
    [{ tool_choice: "maybe" }, "tool_choice"],
    [{ functions: [{}] }, "functions"],
  ])("refuses %j", async (more, param) => {
    const response = await gateway.post("/v1/chat/completions", { ...asked, ...more });
    expect(response.status).toBe(400);
    expect((await response.json()).error).toMatchObject({ param, type: "invalid_request_error" });
  });
});

describe("reasoning", () => {
  test("is separated from the answer, and can be turned off", async () => {
    const said = await answer("<think>\nHm.\n</think>\n\nYes.", { tools: undefined });
    expect(said).toMatchObject({ reasoning: "Hm.", content: "Yes.", finish: "stop" });
    for (const off of [{ reasoning_effort: "none" }, { chat_template_kwargs: { enable_thinking: false } }]) {
      await answer("Yes.", off);
      expect(thinker.prompts.at(-1)).toMatch(/<think>\n\n<\/think>\n\n$/);
    }
  });

  test("of earlier turns is given to the template", async () => {
    const earlier = { role: "assistant", content: "Hi.", reasoning: "A greeting." };
    await answer("Yes.", { messages: [messages[0], earlier, messages[0]] });
    expect(thinker.prompts[0]).toContain("<think>A greeting.</think>Hi.");
  });
});
