import { describe, expect, test } from "vitest";
import { conversationOf } from "./chat-conversation.ts";
import { messagesConversation } from "./messages-conversation.ts";
import { responsesConversation } from "./responses-conversation.ts";

/** As vLLM 0.32 converts it, according to its /tokenize endpoint and KV events. */
const weather = { type: "function", function: { name: "weather", description: null, parameters: {} } };
const call = (id: string) => ({
  id,
  type: "function",
  function: { name: "weather", arguments: '{"city":"X"}' },
});

test("the tools of a chat have vLLM's fields in vLLM's order, whatever the client's order", () => {
  const tools = [
    { function: { strict: true, parameters: {}, name: "weather", unknown: 1 }, type: "function" },
    {
      type: "function",
      function: { name: "weather", description: "It.", parameters: {} },
      defer_loading: true,
    },
  ];
  const conversation = conversationOf("chat", { messages: [], tools });
  expect(JSON.stringify(conversation?.tools)).toBe(
    JSON.stringify([
      { type: "function", function: { name: "weather", description: null, parameters: {}, strict: true } },
      {
        type: "function",
        function: { name: "weather", description: "It.", parameters: {}, defer_loading: true },
      },
    ]),
  );
});

test("a Messages request becomes the same chat as in vLLM", () => {
  const conversation = conversationOf("messages", {
    system: [
      { type: "text", text: "x-anthropic-billing-header: cch=1f2e;" },
      { type: "text", text: "One." },
      { type: "text", text: "Two." },
    ],
    tools: [{ name: "weather", input_schema: {} }],
    messages: [
      { role: "user", content: "Well?" },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "Hm." },
          { type: "text", text: "Let me see." },
          { type: "tool_use", id: "a", name: "weather", input: { city: "X" } },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "a", content: [{ type: "text", text: "12" }] },
          { type: "text", text: "And?" },
        ],
      },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "b", content: "13" }] },
    ],
  });
  expect(conversation?.tools).toEqual([weather]);
  expect(conversation?.messages).toEqual([
    { role: "system", content: "One.Two." },
    { role: "user", content: "Well?" },
    { role: "assistant", content: "Let me see.", reasoning: "Hm.", tool_calls: [call("a")] },
    { role: "tool", tool_call_id: "a", content: "12" },
    { role: "user", content: "And?" },
    { role: "tool", tool_call_id: "b", content: "13" },
  ]);
});

test("a Responses request becomes the same chat as in vLLM", () => {
  const item = (id: string) => ({
    type: "function_call",
    call_id: id,
    name: "weather",
    arguments: '{"city":"X"}',
  });
  const conversation = conversationOf("responses", {
    instructions: "One.",
    tools: [{ type: "function", name: "weather", parameters: {} }, { type: "web_search" }],
    input: [
      { role: "user", content: [{ type: "input_text", text: "Well?" }] },
      { type: "reasoning", summary: [], content: [{ type: "reasoning_text", text: "Hm." }] },
      { role: "assistant", content: [{ type: "output_text", text: "Let me see." }] },
      item("a"),
      item("b"),
      { type: "function_call_output", call_id: "a", output: "12" },
      { type: "function_call_output", call_id: "b", output: [{ type: "input_text", text: "13" }] },
      item("c"),
    ],
  });
  expect(conversation?.tools).toEqual([weather]);
  expect(conversation?.messages).toEqual([
    { role: "system", content: "One." },
    { role: "user", content: "Well?" },
    { role: "assistant", reasoning: "Hm.", content: "Let me see.", tool_calls: [call("a"), call("b")] },
    { role: "tool", tool_call_id: "a", content: "12" },
    { role: "tool", tool_call_id: "b", content: "13" },
    { role: "assistant", tool_calls: [call("c")] },
  ]);
});

test("a Responses request with a text as input becomes one message", () => {
  expect(conversationOf("responses", { input: "Well?" })?.messages).toEqual([
    { role: "user", content: "Well?" },
  ]);
});

describe("pictures in the results of tools", () => {
  const picture = (url: string) => ({ type: "image_url", image_url: { url } });
  const text = (content: string) => ({ type: "text", text: content });

  test("of Messages are in the results, or in the user's message after them as in vLLM", () => {
    const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "AA" } };
    const url = "data:image/png;base64,AA";
    const results = [
      { type: "tool_result", tool_use_id: "a", content: [text("One."), image] },
      { type: "tool_result", tool_use_id: "b", content: "Two." },
    ];
    const body = { messages: [{ role: "user", content: [...results, text("And?")] }] };
    const second = { role: "tool", tool_call_id: "b", content: "Two." };
    expect(messagesConversation(body, "in-results")?.messages).toEqual([
      { role: "tool", tool_call_id: "a", content: [text("One."), picture(url)] },
      second,
      { role: "user", content: "And?" },
    ]);
    expect(messagesConversation(body)?.messages).toEqual([
      { role: "tool", tool_call_id: "a", content: "One." },
      second,
      { role: "user", content: [picture(url), text("And?")] },
    ]);
  });

  test("of Responses are in the results, or in a user's message after them", () => {
    const image = (url: string) => ({ type: "input_image", image_url: url });
    const output = (id: string, ...parts: object[]) => ({
      ...{ type: "function_call_output", call_id: id, output: parts },
    });
    const input = [
      output("a", { type: "input_text", text: "One." }, image("A")),
      output("b", image("B")),
      { role: "user", content: "And?" },
    ];
    expect(responsesConversation({ input }, "in-results")?.messages).toEqual([
      { role: "tool", tool_call_id: "a", content: [text("One."), picture("A")] },
      { role: "tool", tool_call_id: "b", content: [picture("B")] },
      { role: "user", content: "And?" },
    ]);
    expect(responsesConversation({ input }, "after-results")?.messages).toEqual([
      { role: "tool", tool_call_id: "a", content: "One." },
      { role: "tool", tool_call_id: "b", content: "" },
      { role: "user", content: [picture("A"), picture("B")] },
      { role: "user", content: "And?" },
    ]);
  });
});
