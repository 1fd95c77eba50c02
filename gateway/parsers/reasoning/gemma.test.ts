import { describeReasoningFormat } from "../parsers.suite.ts";
import { gemmaReasoning } from "./gemma.ts";

describeReasoningFormat({
  format: gemmaReasoning,
  write: (reasoning, text, isInside) =>
    `${isInside ? "" : "<|channel>thought\n"}${reasoning}\n<channel|>${text}`,
  inside: ["<|turn>model\n<|channel>thought\n"],
  outside: ["<|turn>model\n", "<|turn>model\n<|channel>thought\n<channel|>"],
});
