import { describeReasoningFormat } from "../parsers.suite.ts";
import { mistralReasoning } from "./mistral.ts";

describeReasoningFormat({
  format: mistralReasoning,
  write: (reasoning, text, isInside) => `${isInside ? "" : "[THINK]"}${reasoning}[/THINK]${text}`,
  inside: ["[/INST][THINK]"],
  outside: ["[/INST]"],
});
