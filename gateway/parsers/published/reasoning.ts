export interface PublishedReasoning {
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

export const REASONING: readonly PublishedReasoning[] = [
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
