import { describeReasoningFormat } from "../parsers.suite.ts";
import { deepseekV31Reasoning } from "./deepseek-v3.1.ts";

describeReasoningFormat({
  format: deepseekV31Reasoning,
  write: (reasoning, text, isInside) => `${isInside ? "" : "<think>"}${reasoning}</think>${text}`,
  inside: ["<｜Assistant｜><think>"],
  outside: ["<｜Assistant｜></think>", "<｜Assistant｜>"],
});
