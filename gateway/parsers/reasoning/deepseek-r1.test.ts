import { describeReasoningFormat } from "../parsers.suite.ts";
import { deepseekR1 } from "./deepseek-r1.ts";

describeReasoningFormat({
  format: deepseekR1,
  write: (reasoning, text, isInside) => `${isInside ? "" : "<think>"}${reasoning}</think>\n${text}`,
  inside: ["<｜Assistant｜>", "<｜Assistant｜><think>\n"],
  outside: ["<｜Assistant｜><think>\n\n</think>\n"],
});
