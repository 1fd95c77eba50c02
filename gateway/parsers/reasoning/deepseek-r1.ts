import { tagFormat } from "./think-tags.ts";

/**
 * `…</think>` before the answer, which always begins in the middle of reasoning, whether the prompt says so or not.
 * Source: https://huggingface.co/deepseek-ai/DeepSeek-R1-0528 and its chat template.
 */
export const deepseekR1 = tagFormat({
  name: "deepseek-r1",
  matches: ({ template, model }) =>
    /deepseek-?r1/.test(model) ||
    (template.includes("<｜tool▁sep｜>") && template.includes("```json") && template.includes("</think>")),
  begins: ["<think>"],
  ends: ["</think>"],
  isAlwaysInside: true,
});
