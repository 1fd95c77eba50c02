import { describeReasoningFormat } from "../parsers.suite.ts";
import { qwen3 } from "./qwen3.ts";

describeReasoningFormat({
  format: qwen3,
  write: (reasoning, text, isInside) => `${isInside ? "" : "<think>\n"}${reasoning}\n</think>\n\n${text}`,
  inside: ["<|im_start|>assistant\n<think>\n"],
  outside: ["<|im_start|>assistant\n", "<|im_start|>assistant\n<think>\n\n</think>\n\n"],
});
