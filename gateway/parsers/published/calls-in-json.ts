import type { PublishedCase } from "./case.ts";

const COMMAND = "mkdir -p test/{a,b && echo '}]'";
const OSLO = { city: "Oslo" };

/** Calls as JSON. */
export const CALLS_IN_JSON: readonly PublishedCase[] = [
  {
    issue: "vllm-project/vllm#21544",
    format: "hermes",
    text: `<tool_call>\n${JSON.stringify({ name: "run", arguments: { command: COMMAND } })}\n</tool_call>`,
    calls: [["run", { command: COMMAND }]],
  },
  {
    issue: "vllm-project/vllm#28806",
    format: "hermes",
    text: '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>',
    calls: [["now", {}]],
  },
  {
    issue: "vllm-project/vllm#21360",
    format: "hermes",
    text: '<tool_call>\n{"name": "search", "arguments": {"tags": [{"a": 1}, {"a": 2}]}}\n</tool_call>',
    calls: [["search", { tags: [{ a: 1 }, { a: 2 }] }]],
  },
  {
    issue: "ggml-org/llama.cpp#12256",
    format: "hermes",
    text: '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}}\n</tool_call>',
    calls: [["weather", OSLO]],
  },
  {
    issue: "ggml-org/llama.cpp#18183",
    format: "hermes",
    text: 'For example:\n```json\n{"name": "now", "arguments": {}}\n```',
    calls: [],
    said: 'For example:\n```json\n{"name": "now", "arguments": {}}\n```',
  },
  {
    issue: "sgl-project/sglang#35169",
    format: "hermes",
    text: 'Sure, let me check. <tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>',
    calls: [["now", {}]],
    said: "Sure, let me check.",
  },
  {
    issue: "sgl-project/sglang#35565",
    format: "hermes",
    text: "I look. <tool_call>",
    calls: [],
    said: "I look. <tool_call>",
  },
  {
    issue: "sgl-project/sglang#35565",
    format: "mistral",
    text: "The marker is [TOOL_CALLS",
    calls: [],
    said: "The marker is [TOOL_CALLS",
  },
  {
    issue: "ml-explore/mlx-lm#1448",
    format: "mistral",
    text: '[TOOL_CALLS]weather[ARGS]{"city": "Oslo"}[TOOL_CALLS]now[ARGS]{}\n\nI look.',
    calls: [
      ["weather", OSLO],
      ["now", {}],
    ],
    said: "I look.",
  },
  {
    issue: "ml-explore/mlx-lm#1374",
    format: "mistral",
    text: '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Oslo"}}]',
    calls: [["weather", OSLO]],
  },
  {
    issue: "ai-dynamo/dynamo#10725",
    format: "mistral",
    text: '[TOOL_CALLS][{"name": "now", "arguments": {}}][/TOOL_CALLS]',
    calls: [["now", {}]],
  },
  {
    issue: "vllm-project/vllm#54844",
    format: "mistral",
    text: '[TOOL_CALLS]{"name": "now", "arguments": {}}[TOOL_CALLS][{"name": "now", "arguments": {}}]',
    calls: [
      ["now", {}],
      ["now", {}],
    ],
  },
  {
    issue: "ollama/ollama#12017",
    format: "llama3-json",
    text: '{"name": "run", "parameters": {"command": "}A"}}',
    calls: [["run", { command: "}A" }]],
  },
  {
    issue: "ggml-org/llama.cpp#20260",
    format: "llama3-json",
    text: '{"name": "now", "parameters": {}}; {"name": "weather", "parameters": {"city": "Oslo"}}',
    calls: [
      ["now", {}],
      ["weather", OSLO],
    ],
  },
  {
    issue: "vllm-project/vllm#19024",
    format: "llama3-json",
    text: '{"type": "function", "name": "now", "parameters": {}} \n\nWould you like to know more?',
    calls: [["now", {}]],
    said: "Would you like to know more?",
  },
  {
    issue: "raullenchai/Rapid-MLX#921",
    format: "llama3-json",
    text: '<|python_tag|>{"name": "search", "parameters": {"filters": {"a": {"b": 1}}, "query": "x"}}',
    calls: [["search", { filters: { a: { b: 1 } }, query: "x" }]],
  },
  {
    issue: "ggml-org/llama.cpp#20800",
    format: "llama3-json",
    text: "int main() {\n  return 0;\n}",
    calls: [],
    said: "int main() {\n  return 0;\n}",
  },
  {
    issue: "vllm-project/vllm#48795",
    format: "phi-4",
    text: 'functools[{"name": "search", "arguments": {"tags": ["a", "b"]}}]',
    calls: [["search", { tags: ["a", "b"] }]],
  },
  {
    issue: "vllm-project/vllm#58072",
    format: "phi-4",
    text: "functools[ This is just text ]",
    calls: [],
    said: "functools[ This is just text ]",
  },
  {
    issue: "vllm-project/vllm#11402",
    format: "granite",
    text: '<tool_call>[{"name": "weather", "arguments": {"city": "Oslo"}}]',
    calls: [["weather", OSLO]],
  },
  {
    issue: "vllm-project/vllm#35948",
    format: "granite",
    text: '<tool_call>{"name": "weather", "arguments": "{\\"city\\": \\"Oslo\\"}"}</tool_call>',
    calls: [["weather", OSLO]],
  },
  {
    issue: "ggml-org/llama.cpp#23029",
    format: "nemotron",
    text: '<TOOLCALL>[{"name": "now", "arguments": {}}, {"name": "weather", "arguments": {"city": "Oslo"}}] </TOOLCALL>',
    calls: [
      ["now", {}],
      ["weather", OSLO],
    ],
  },
  {
    issue: "Gitlawb/openclaude#1076",
    format: "json",
    text: '```json\n{"type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}\n```',
    calls: [["weather", OSLO]],
  },
  {
    issue: "BerriAI/litellm#3333",
    format: "json",
    text: '{\n"name": "weather",\n"arguments": {\n"city": "Oslo"\n}\n}',
    calls: [["weather", OSLO]],
  },
];
