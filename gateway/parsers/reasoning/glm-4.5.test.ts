import { describeReasoningFormat } from "../parsers.suite.ts";
import { glm45Reasoning } from "./glm-4.5.ts";

describeReasoningFormat({
  format: glm45Reasoning,
  write: (reasoning, text, isInside) => `${isInside ? "" : "\n<think>"}${reasoning}</think>\n${text}`,
  inside: ["<|assistant|><think>"],
  outside: ["<|assistant|>", "<|assistant|>\n<think></think>"],
});
