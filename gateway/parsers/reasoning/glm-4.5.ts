import { tagFormat } from "./think-tags.ts";

/**
 * `<think>…</think>` before the answer; since GLM 4.7 the prompt ends with `<think>`.
 * Source: https://huggingface.co/zai-org/GLM-4.5/blob/main/chat_template.jinja
 */
export const glm45Reasoning = tagFormat({
  name: "glm-4.5",
  matches: ({ template }) => template.includes("[gMASK]") && template.includes("<think>"),
  begins: ["<think>"],
  ends: ["</think>"],
});
