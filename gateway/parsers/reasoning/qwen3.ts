import { tagFormat } from "./think-tags.ts";

/**
 * `<think>…</think>` before the answer, or `</think>` alone if the prompt ends with `<think>`. Others that do the same
 * need no format of their own: Nemotron, say.
 * Source: the chat templates of Qwen3, Qwen3 Thinking and QwQ.
 */
export const qwen3 = tagFormat({
  name: "qwen3",
  matches: ({ template }) => template.includes("<think>"),
  begins: ["<think>"],
  ends: ["</think>"],
});
