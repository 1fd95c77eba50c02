import { tagFormat } from "./think-tags.ts";

/**
 * `…</think>` before the answer, if the prompt ends with `<think>`, and not with `</think>`: V3.1 and later.
 * Source: https://huggingface.co/deepseek-ai/DeepSeek-V3.1#chat-template
 */
export const deepseekV31Reasoning = tagFormat({
  name: "deepseek-v3.1",
  matches: ({ template, model }) =>
    (template.includes("<｜Assistant｜>") &&
      template.includes("</think>") &&
      template.includes("thinking")) ||
    /deepseek-?v(?:3\.[12]|4)/.test(model),
  begins: ["<think>"],
  ends: ["</think>"],
});
