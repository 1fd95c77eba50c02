import { describe, expect, test } from "vitest";
import { REASONING_FORMATS, TOOL_FORMATS } from "./formats.ts";
import { parseAnyhow } from "./parsers.suite.ts";
import type { ToolFunction, Tools } from "./types.ts";

/**
 * What models have written that other parsers of tool calls and reasoning got wrong, as their issue trackers say. The
 * functions and texts are ours, the structure is the reported one.
 */
interface PublishedCase {
  /** Where it was published. */
  readonly issue: string;
  readonly format: string;
  readonly text: string;
  /** Names and arguments. */
  readonly calls: readonly (readonly [string, unknown])[];
  /** What the client gets beside calls. Default: nothing. */
  readonly said?: string;
}

const string = { type: "string" };
const declared: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  now: {},
  weather: { city: string, days: { type: "integer" }, metric: { type: "boolean" } },
  "write-file": { path: string, content: string },
  run: { command: string, timeout: { type: "number" } },
  search: { query: string, tags: { type: "array" }, filters: { type: "object" } },
  task: { taskId: string, note: { anyOf: [string, { type: "null" }] }, when: { type: ["integer", "null"] } },
};
const TOOLS: Tools = new Map(
  Object.entries(declared).map(([name, properties]): [string, ToolFunction] => [
    name,
    { name, parameters: { type: "object", properties } },
  ]),
);

const COMMAND = "mkdir -p test/{a,b && echo '}]'";
const SNIPPET = "<function=demo>\n</function>\n</tool_call>";
const DSML = (parameters: string) =>
  `<｜DSML｜tool_calls>\n<｜DSML｜invoke name="weather">\n${parameters}\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>`;
const DSML_CITY = '<｜DSML｜parameter name="city" string="true">Oslo';
const INVOKE = (name: string, parameters: string) =>
  `<minimax:tool_call>\n<invoke name="${name}">\n${parameters}\n</invoke>\n</minimax:tool_call>`;
const OSLO = { city: "Oslo" };

const CASES: PublishedCase[] = [
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
    issue: "sgl-project/sglang#40739",
    format: "qwen3-coder",
    text: "before<tool_call><function=weather><parameter=city>Oslo</parameter></function></tool_call>after",
    calls: [["weather", OSLO]],
    said: "beforeafter",
  },
  {
    issue: "vllm-project/vllm#57699",
    format: "qwen3-coder",
    text: '<tool_call>\n<function=search>\n<parameter=filters>\n{"mode": "AUTO"}\n</function>\n</tool_call>',
    calls: [["search", { filters: { mode: "AUTO" } }]],
  },
  {
    issue: "vllm-project/vllm#37829",
    format: "qwen3-coder",
    text: "<tool_call>\n<function=weather>\n<parameter=city>\nOslo\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>",
    calls: [["weather", { city: "Oslo", days: 3 }]],
  },
  {
    issue: "vllm-project/vllm#34919",
    format: "qwen3-coder",
    text: "<tool_call>\n<function=write-file>\n<parameter=content>\n<a>\n</parameter>\n</a>\n</parameter>\n</function>\n</tool_call>",
    calls: [["write-file", { content: "<a>\n</parameter>\n</a>" }]],
  },
  {
    issue: "jundot/omlx#2588",
    format: "qwen3-coder",
    text: `<tool_call>\n<function=write-file>\n<parameter=path>\na.xml\n</parameter>\n<parameter=content>\n${SNIPPET}\n</parameter>\n</function>\n</tool_call>`,
    calls: [["write-file", { path: "a.xml", content: SNIPPET }]],
  },
  {
    issue: "ollama/ollama#17742",
    format: "qwen3-coder",
    text: "<function=run>\n<parameter=command>\nls\n</parameter>\n</function>\n</tool_call>",
    calls: [["run", { command: "ls" }]],
  },
  ...["</parameter/>", "</parameter1>", "</parameter", "</parameter_function>"].map((end) => ({
    issue: "sgl-project/sglang#27336",
    format: "qwen3-coder",
    text: `<tool_call>\n<function=weather>\n<parameter=city>\nOslo\n${end}\n${end.includes("_") ? "" : "</function>\n"}</tool_call>`,
    calls: [["weather", OSLO]] as const,
  })),
  {
    issue: "ml-explore/mlx-lm#1310",
    format: "qwen3-coder",
    text: "<function=weather><parameter=days>2026-01-15</parameter></function>",
    calls: [["weather", { days: "2026-01-15" }]],
  },
  {
    issue: "vllm-project/vllm#44326",
    format: "glm-4.5",
    text: "<tool_call>now</tool_call>",
    calls: [["now", {}]],
  },
  {
    issue: "vllm-project/vllm#49248",
    format: "glm-4.5",
    text: "<tool_call>search<arg_key>query</arg_key>days left</arg_value></tool_call>",
    calls: [["search", { query: "days left" }]],
  },
  {
    issue: "sgl-project/sglang#35564",
    format: "glm-4.5",
    text: "<tool_call>weather<arg_key>city</arg_key><arg_value>123</arg_value><arg_key>days</arg_key><arg_value>123</arg_value></tool_call>",
    calls: [["weather", { city: "123", days: 123 }]],
  },
  {
    issue: "vllm-project/vllm#54838",
    format: "deepseek-v3.2",
    text: DSML(`${DSML_CITY}\n<｜DSML｜parameter name="days" string="false">3</｜DSML｜parameter>`),
    calls: [["weather", { city: "Oslo\n", days: 3 }]],
  },
  {
    issue: "ggml-org/llama.cpp#28612",
    format: "deepseek-v3.2",
    text: DSML(`${DSML_CITY} <east> & West</｜DSML｜paramter>`),
    calls: [["weather", { city: "Oslo <east> & West" }]],
  },
  {
    issue: "sgl-project/sglang#40236",
    format: "deepseek-v3.2",
    text: `I look.\n<｜DSML｜invoke name="weather">${DSML_CITY}</｜DSML｜parameter></｜DSML｜invoke>`,
    calls: [["weather", OSLO]],
    said: "I look.",
  },
  {
    issue: "sgl-project/sglang#35563",
    format: "deepseek-v3.2",
    text: '<｜DSML｜function_calls><｜DSML｜invoke name="now"></｜DSML｜invoke><｜DSML｜invoke name="now">\n</｜DSML｜invoke></｜DSML｜function_calls>',
    calls: [
      ["now", {}],
      ["now", {}],
    ],
  },
  {
    issue: "ai-dynamo/dynamo#10133",
    format: "deepseek-v3",
    text: '<｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{"city": "Oslo"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    calls: [["weather", OSLO]],
  },
  {
    issue: "vllm-project/vllm#23454",
    format: "deepseek-v3",
    text: '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{"city": "Oslo"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    calls: [["weather", OSLO]],
  },
  {
    issue: "osaurus-ai/vmlx-swift#228",
    format: "deepseek-v3.1",
    text: "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>now<｜tool▁sep｜><｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    calls: [["now", {}]],
  },
  {
    issue: "vllm-project/vllm#22149",
    format: "kimi-k2",
    text: '<|tool_calls_section_begin|><|tool_call_begin|>functions.write-file:0<|tool_call_argument_begin|>{"path": "a"}<|tool_call_end|><|tool_calls_section_end|>',
    calls: [["write-file", { path: "a" }]],
  },
  ...["functionsrun5", "functions.run5", "functions_run_5"].map((id) => ({
    issue: id.includes("_") ? "exo-explore/exo#2281" : "sgl-project/sglang#21377",
    format: "kimi-k2",
    text: `<|tool_calls_section_begin|><|tool_call_begin|>${id}<|tool_call_argument_begin|>{"command": "ls"}<|tool_call_end|><|tool_calls_section_end|>`,
    calls: [["run", { command: "ls" }]] as const,
  })),
  {
    issue: "ggml-org/llama.cpp#17376",
    format: "kimi-k2",
    text: "<|tool_call_section_begin|><|tool_call_begin|>functions.now:0<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_call_section_end|>",
    calls: [["now", {}]],
  },
  {
    issue: "sgl-project/sglang#25071",
    format: "kimi-k2",
    text: "A<|tool_call_begin|>now:0<|tool_call_argument_begin|>{}<|tool_call_end|>B<|tool_call_begin|>now:1<|tool_call_argument_begin|>{}<|tool_call_end|>C",
    calls: [
      ["now", {}],
      ["now", {}],
    ],
    said: "ABC",
  },
  {
    issue: "smg-project/smg#1743",
    format: "minimax-m2",
    text: INVOKE("task", '<parameter name="taskId">3</parameter>'),
    calls: [["task", { taskId: "3" }]],
  },
  {
    issue: "moltis-org/moltis#582",
    format: "minimax-m2",
    text: INVOKE(
      "task",
      '<parameter name="note">null</parameter><parameter name="when">null</parameter><parameter name="taskId">null</parameter>',
    ),
    calls: [["task", { note: null, when: null, taskId: "null" }]],
  },
  {
    issue: "vllm-project/vllm#38803",
    format: "minimax-m2",
    text: INVOKE("run", '<parameter name="a>b">x</parameter> y</parameter>'),
    calls: [["run", { "a>b": "x</parameter> y" }]],
  },
  {
    issue: "cubist38/mlx-openai-server#124",
    format: "minimax-m2",
    text: INVOKE("search", "<parameter name=\"filters\">{'path': '/a.js', 'all': True}</parameter>"),
    calls: [["search", { filters: { path: "/a.js", all: true } }]],
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
    issue: "jundot/omlx#1153",
    format: "llama4-pythonic",
    text: '{"name": "weather", "parameters": {"city": "Oslo"}}',
    calls: [["weather", OSLO]],
  },
  {
    issue: "sgl-project/sglang#27910",
    format: "llama4-pythonic",
    text: "[run(timeout=-5, command='a'), now()]",
    calls: [
      ["run", { timeout: -5, command: "a" }],
      ["now", {}],
    ],
  },
  {
    issue: "vllm-project/vllm#48171",
    format: "llama4-pythonic",
    text: "[search(query='grep -F \"]\" a\nb \\\\', from=1, size=(800, 600), x=-74.0046539)]",
    calls: [["search", { query: 'grep -F "]" a\nb \\', from: 1, size: [800, 600], x: -74.0046539 }]],
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
    issue: "xorbitsai/inference#5242",
    format: "gemma",
    text: '<|tool_call>call:search{query:<|"|>The user said "你好" (hello).<|"|>,\nexact:false}<tool_call|>',
    calls: [["search", { query: 'The user said "你好" (hello).', exact: false }]],
  },
  {
    issue: "vllm-project/vllm#51284",
    format: "gemma",
    text: '<|tool_call>call:search{tags:["a",\'b\'],filters:{"mode": "fast"}}<tool_call|>',
    calls: [["search", { tags: ["a", "b"], filters: { mode: "fast" } }]],
  },
  {
    issue: "sgl-project/sglang#39240",
    format: "gemma",
    text: '<|tool_call>call:search{query:Paris, France<|"|>,limit:5}<tool_call|>',
    calls: [["search", { query: "Paris, France", limit: 5 }]],
  },
  {
    issue: "vllm-project/vllm#39440",
    format: "gemma",
    text: '<|tool_call>call:write-file{content:<|"|>code with }],path:<|"|>a.txt<|"|>}<tool_call|>',
    calls: [["write-file", { content: "code with }]", path: "a.txt" }]],
  },
  {
    issue: "jundot/omlx#1886",
    format: "gemma",
    text: '<|tool_call>call:search(query=<|"|>a<|"|>, filters={b:1})<tool_call|>',
    calls: [["search", { query: "a", filters: { b: 1 } }]],
  },
  {
    issue: "kekzl/imp#1716",
    format: "harmony",
    text: '<|channel|>analysis<|message|>We need it.<|end|><|start|>assistant<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{"city":"Oslo"}',
    calls: [["weather", OSLO]],
    said: "We need it.",
  },
  {
    issue: "vllm-project/vllm#32587",
    format: "harmony",
    text: '<|start|>assistant to=functions.weather<|channel|>commentary json<|message|>{"city":"Oslo"}<|call|>',
    calls: [["weather", OSLO]],
  },
  {
    issue: "vllm-project/vllm#51977",
    format: "harmony",
    text: ' to=functions.write-file<|channel|>commentary <|constrain|>json<|message|>{"path":"a"}<|call|>',
    calls: [["write-file", { path: "a" }]],
  },
  {
    issue: "ai-dynamo/frontend-crates#43",
    format: "harmony",
    text: '<|channel|>analysis to=functions.weather code<|message|>{"city":"Oslo"}<|call|>',
    calls: [["weather", OSLO]],
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

describe("calls that other parsers got wrong", () => {
  test.each(CASES)("$issue ($format): $text", ({ format, text, calls, said = "" }) => {
    const found = TOOL_FORMATS.find(({ name }) => name === format)!;
    const answer = parseAnyhow({ calls: { format: found, tools: TOOLS } }, text);
    expect(answer.calls.map((call) => call.isBroken)).toEqual(calls.map(() => undefined));
    expect(answer.calls.map((call) => [call.name, JSON.parse(call.arguments)])).toEqual(calls);
    expect(answer.text).toBe(said);
  });
});

interface PublishedReasoning {
  readonly issue: string;
  readonly format: string;
  readonly prompt: string;
  readonly text: string;
  readonly reasoning: string;
  readonly said?: string;
  /** The format in which calls are found, and the names of those that are called. */
  readonly calls?: readonly [string, ...string[]];
}

const USER = "<|im_start|>assistant\n";
const KIMI =
  "<|tool_calls_section_begin|> <|tool_call_begin|> functions.now:0 <|tool_call_argument_begin|> {} <|tool_call_end|> <|tool_calls_section_end|>";

const REASONING_CASES: PublishedReasoning[] = [
  {
    issue: "vllm-project/vllm#22507",
    format: "qwen3",
    prompt: `${USER}<think>\n`,
    text: "I think.\n</think>\n\nHello!",
    reasoning: "I think.",
    said: "Hello!",
  },
  {
    issue: "vllm-project/vllm#53284",
    format: "qwen3",
    prompt: `${USER}<think>\n\n</think>\n\n`,
    text: "Hello!",
    reasoning: "",
    said: "Hello!",
  },
  {
    issue: "vllm-project/vllm#35687",
    format: "qwen3",
    prompt: `${USER}<think>\n`,
    text: "I call it.\n<tool_call>\n<function=now>\n</function>\n</tool_call>",
    reasoning: "I call it.",
    calls: ["qwen3-coder", "now"],
  },
  {
    issue: "ollama/ollama#13764",
    format: "qwen3",
    prompt: "<think>",
    text: "I call it.<tool_call><function=now></function></tool_call></think>",
    reasoning: "I call it.",
    calls: ["qwen3-coder", "now"],
  },
  {
    issue: "vllm-project/vllm#32216",
    format: "kimi-k2",
    prompt: "<|im_middle|>",
    text: "<think>I call it.<|tool_call_begin|>functions.now:0<|tool_call_argument_begin|>{}<|tool_call_end|>",
    reasoning: "I call it.",
    calls: ["kimi-k2", "now"],
  },
  {
    issue: "vybestack/llxprt-code#749",
    format: "kimi-k2",
    prompt: "<|im_middle|>",
    text: `<think>I call it. ${KIMI}</think>`,
    reasoning: "I call it.",
    calls: ["kimi-k2", "now"],
  },
  {
    issue: "raullenchai/Rapid-MLX#1570",
    format: "deepseek-r1",
    prompt: "<｜Assistant｜>",
    text: "Okay, I need to find out.\n</think>\n\nIt is 4.",
    reasoning: "Okay, I need to find out.",
    said: "It is 4.",
  },
  {
    issue: "vllm-project/vllm#43933",
    format: "deepseek-v3.1",
    prompt: "<｜Assistant｜><think>",
    text: "A final thought.</think>Answer starts.",
    reasoning: "A final thought.",
    said: "Answer starts.",
  },
  {
    issue: "ggml-org/llama.cpp#27720",
    format: "gpt-oss",
    prompt: "<|start|>assistant",
    text: "<|channel|>commentary?commentary?<|end|><|start|>assistant<|channel|>analysis<|message|>I think.<|end|><|start|>assistant<|channel|>final<|message|>Yes.",
    reasoning: "I think.",
    said: "Yes.",
  },
  {
    issue: "openai/harmony#38",
    format: "gpt-oss",
    prompt: "<|start|>assistant",
    text: "<|channel|>analysis<|message|>I call it.<|end|><|start|>assistant<|channel|>––commentary to=functions.now<|message|>{}<|call|>",
    reasoning: "I call it.",
    calls: ["harmony", "now"],
  },
];

describe("reasoning that other parsers got wrong", () => {
  test.each(REASONING_CASES)("$issue ($format): $text", ({ format, prompt, text, ...expected }) => {
    const reasoning = REASONING_FORMATS.find(({ name }) => name === format)!;
    const [tool, ...names] = expected.calls ?? [];
    const found = TOOL_FORMATS.find(({ name }) => name === tool);
    const calls = found && { format: found, tools: TOOLS };
    const answer = parseAnyhow({ reasoning, calls }, text, reasoning.beginsInside(prompt));
    expect(answer.reasoning).toBe(expected.reasoning);
    expect(answer.text).toBe(expected.said ?? "");
    expect(answer.calls.map(({ name }) => name)).toEqual(names);
  });
});
