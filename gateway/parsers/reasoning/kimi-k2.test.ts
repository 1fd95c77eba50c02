import { describeReasoningFormat } from "../parsers.suite.ts";
import { kimiK2Reasoning } from "./kimi-k2.ts";

describeReasoningFormat({
  format: kimiK2Reasoning,
  write: (reasoning, text, isInside) => `${isInside ? "" : "<think>"}${reasoning}</think>${text}`,
  inside: ["<|im_assistant|>assistant<|im_middle|><think>"],
  outside: ["<|im_assistant|>assistant<|im_middle|>"],
});
