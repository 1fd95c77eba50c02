import { tagFormat } from "./think-tags.ts";

/**
 * `<think>…</think>` before the answer, or `</think>` alone if the prompt ends with `<think>`.
 * Source: the chat templates of Qwen3, Qwen3 Thinking and QwQ.
 */
export const qwen3 = tagFormat({
  name: "qwen3",
  matches: ({ template }) => template.includes("<think>"),
  begin: "<think>",
  end: "</think>",
});
