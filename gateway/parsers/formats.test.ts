import fc from "fast-check";
import { expect, test } from "vitest";
import type { AnswerFormats } from "./answer-parser.ts";
import { REASONING_FORMATS, reasoningFormatOf, TOOL_FORMATS, toolFormatOf } from "./formats.ts";
import { parse, withTools } from "./parsers.suite.ts";

const OLD_DEEPSEEK = "'<｜tool▁call▁begin｜>' + tool['type'] + '<｜tool▁sep｜>' + '\\n```json'";

/** The family, what is characteristic of its template, a model's name, and the formats that read it. */
const FAMILIES: [string, string, string, string | undefined, string | undefined][] = [
  ["Qwen 2.5", "<tool_call></tool_call> XML tags", "qwen/qwen2.5-7b-instruct", "hermes", undefined],
  ["Qwen 3", "<tool_call> {% if '</think>' in content %}<think>", "qwen/qwen3-8b", "hermes", "qwen3"],
  ["Hermes 3", "<tool_call>\n{'name': <function-name>}", "nousresearch/hermes-3", "hermes", undefined],
  [
    "Qwen3-Coder",
    "<tool_call>\n<function=example>\n<parameter=a>",
    "qwen/qwen3-coder-30b-a3b-instruct",
    "qwen3-coder",
    undefined,
  ],
  [
    "Qwen 3.5",
    "<tool_call><function=f><parameter=a> <think>",
    "qwen/qwen3.5-35b-a3b",
    "qwen3-coder",
    "qwen3",
  ],
  [
    "Nemotron 3",
    "<tool_call><function=f><parameter=a> <think>",
    "nvidia/nemotron-3-nano",
    "qwen3-coder",
    "qwen3",
  ],
  ["Nemotron 2", "'<TOOLCALL>[' '</TOOLCALL>' <think>", "nvidia/nemotron-nano-9b-v2", "nemotron", "qwen3"],
  [
    "GLM 4.5",
    "[gMASK]<sop> <tool_call>{name}\n<arg_key> <think></think>",
    "zai-org/glm-4.5",
    "glm-4.5",
    "glm-4.5",
  ],
  [
    "MiniMax M2",
    "'<minimax:tool_call>' <invoke name= <think>",
    "minimaxai/minimax-m2",
    "minimax-m2",
    "minimax-m2",
  ],
  [
    "Mistral",
    "'[TOOL_CALLS] [' [AVAILABLE_TOOLS]",
    "mistralai/mistral-7b-instruct-v0.3",
    "mistral",
    undefined,
  ],
  ["Magistral", "'[TOOL_CALLS]' '[ARGS]' '[THINK]'", "mistralai/magistral-small-2507", "mistral", "mistral"],
  ["DeepSeek R1", `${OLD_DEEPSEEK} '</think>'`, "deepseek-ai/deepseek-r1-0528", "deepseek-v3", "deepseek-r1"],
  ["DeepSeek V3", OLD_DEEPSEEK, "deepseek-ai/deepseek-v3-0324", "deepseek-v3", undefined],
  [
    "DeepSeek V3.1",
    "{% if not thinking %}<｜Assistant｜></think> '<｜tool▁sep｜>'",
    "deepseek-ai/deepseek-v3.1",
    "deepseek-v3.1",
    "deepseek-v3.1",
  ],
  ["DeepSeek V3.2", "", "deepseek-ai/deepseek-v3.2", "deepseek-v3.2", "deepseek-v3.1"],
  ["Kimi K2", "<|im_middle|> <|tool_call_begin|>", "moonshotai/kimi-k2-instruct", "kimi-k2", undefined],
  [
    "Kimi K2 Thinking",
    "<|im_middle|> <|tool_call_begin|> <think>",
    "moonshotai/kimi-k2-thinking",
    "kimi-k2",
    "kimi-k2",
  ],
  ["Llama 3.1", "'<|python_tag|>'", "meta-llama/llama-3.1-8b-instruct", "llama3-json", undefined],
  [
    "Llama 3.2",
    '{"name": function name, "parameters": dictionary of argument name and its value}',
    "meta-llama/llama-3.2-3b-instruct",
    "llama3-json",
    undefined,
  ],
  ["Llama 4", "'<|python_start|>'", "meta-llama/llama-4-scout", "llama4-pythonic", undefined],
  ["gpt-oss", "<|start|>assistant<|channel|>final<|message|>", "openai/gpt-oss-20b", "harmony", "gpt-oss"],
  ["Gemma 3", "<start_of_turn>model", "google/gemma-3-27b-it", "gemma", undefined],
  ["Gemma 4", "'<|tool_call>call:' '<|channel>thought'", "google/gemma-4-31b-it", "gemma", "gemma"],
  ["Phi-4-mini", "'<|tool|>' + tools + '<|/tool|>'", "microsoft/phi-4-mini-instruct", "phi-4", undefined],
  ["Phi-4", "<|im_start|>assistant<|im_sep|>", "microsoft/phi-4", "phi-4", undefined],
  [
    "Granite 3.2",
    "<|start_of_role|> <|tool_call|> Here is my thought process:",
    "ibm-granite/granite-3.2-8b-instruct",
    "granite",
    "granite",
  ],
  ["Granite 4", "<|start_of_role|> <tool_call>", "ibm-granite/granite-4.0-h-small", "granite", undefined],
  ["a fine-tuned Gemma", "<tool_call>", "someone/gemma-3-hermes", "hermes", undefined],
  ["an unknown model", "{{ message.content }}", "someone/something", undefined, undefined],
];

test.each(FAMILIES)("%s is read in its formats", (_, template, model, tool, reasoning) => {
  expect(toolFormatOf({ template, model })?.name).toBe(tool);
  expect(reasoningFormatOf({ template, model })?.name).toBe(reasoning);
});

const PAIRS = new Map(
  FAMILIES.map(([, template, model]) => {
    const hints = { template, model };
    return [reasoningFormatOf(hints), toolFormatOf(hints)] as const;
  }).map(([reasoning, format]) => [`${reasoning?.name} and ${format?.name}`, { reasoning, format }]),
);

test.each([...PAIRS].filter(([, { reasoning }]) => reasoning !== undefined))(
  "%s find the same together, however an answer is cut",
  (_, { reasoning, format }) => {
    const formats: AnswerFormats = { ...withTools(format!), reasoning };
    const markers = [...reasoning!.controls!, ...format!.controls!, ...format!.begins, ...format!.ends!];
    const words = [
      '{"name": "now", "arguments": {}}',
      "{}",
      "now",
      "to=functions.now",
      "<function=now>",
      "\n",
      "<",
    ];
    const piece = fc.constantFrom(...markers, ...words);
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.boolean(), (pieces, isInside) => {
        const text = pieces.join("");
        const answer = parse(formats, [text], isInside);
        expect(parse(formats, pieces, isInside)).toEqual(answer);
        expect(parse(formats, [...text], isInside)).toEqual(answer);
      }),
      { numRuns: 100 },
    );
  },
);

test("every format has a name of its own", () => {
  for (const formats of [TOOL_FORMATS, REASONING_FORMATS])
    expect(new Set(formats.map(({ name }) => name)).size).toBe(formats.length);
});
