import type { PublishedCase } from "./case.ts";

const SNIPPET = "<function=demo>\n</function>\n</tool_call>";
const DSML = (parameters: string) =>
  `<｜DSML｜tool_calls>\n<｜DSML｜invoke name="weather">\n${parameters}\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>`;
const DSML_CITY = '<｜DSML｜parameter name="city" string="true">Oslo';
const INVOKE = (name: string, parameters: string) =>
  `<minimax:tool_call>\n<invoke name="${name}">\n${parameters}\n</invoke>\n</minimax:tool_call>`;
const OSLO = { city: "Oslo" };

/** Calls between tags. */
export const CALLS_IN_TAGS: readonly PublishedCase[] = [
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
    calls: [["weather", { city: "Oslo", days: 3 }]],
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
];
