import { describeReasoningFormat } from "../parsers.suite.ts";
import { minimaxM2Reasoning } from "./minimax-m2.ts";

describeReasoningFormat({
  format: minimaxM2Reasoning,
  write: (reasoning, text, isInside) => `${isInside ? "" : "<think>\n"}${reasoning}\n</think>\n\n${text}`,
  inside: ["]~b]ai\n<think>\n", "]~b]ai\n"],
  outside: ["]~b]ai\n<think>\n</think>\n"],
});
