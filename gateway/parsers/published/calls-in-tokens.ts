import type { PublishedCase } from "./case.ts";

const OSLO = { city: "Oslo" };

/** Calls between tokens, and as Python. */
export const CALLS_IN_TOKENS: readonly PublishedCase[] = [
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
    issue: "ai-dynamo/dynamo#10366",
    format: "harmony",
    text: '<|channel|>analysis to=functions.weather code<|message|>{"city":"Oslo"}<|call|>',
    calls: [["weather", OSLO]],
  },
];
