import { deepseekFormat, SEPARATOR } from "./deepseek-calls.ts";

/**
 * `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{…}<｜tool▁call▁end｜><｜tool▁calls▁end｜>`.
 * Source: https://huggingface.co/deepseek-ai/DeepSeek-V3.1#toolcall
 */
export const deepseekV31 = deepseekFormat({
  name: "deepseek-v3.1",
  before: "",
  between: SEPARATOR,
  after: "",
  matches: ({ template, model }) => template.includes("<｜tool▁sep｜>") || /deepseek-?v3\.1/.test(model),
});
