import { deepseekFormat, SEPARATOR } from "./deepseek-calls.ts";

/**
 * `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f⏎```json⏎{…}⏎```<｜tool▁call▁end｜><｜tool▁calls▁end｜>`.
 * Source: the chat templates of DeepSeek-V3-0324 and DeepSeek-R1-0528.
 */
export const deepseekV3 = deepseekFormat({
  name: "deepseek-v3",
  before: `function${SEPARATOR}`,
  between: "\n```json\n",
  after: "\n```",
  matches: ({ template, model }) =>
    (template.includes("<｜tool▁sep｜>") && template.includes("```json")) ||
    /deepseek-?(?:r1|v3(?!\.))/.test(model),
});
