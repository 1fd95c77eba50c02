import { tagFormat } from "./think-tags.ts";

/**
 * `…</think>` before the answer, which always begins in the middle of reasoning: the prompt ends with `<think>`.
 * Source: https://huggingface.co/MiniMaxAI/MiniMax-M2/blob/main/chat_template.jinja
 */
export const minimaxM2Reasoning = tagFormat({
  name: "minimax-m2",
  matches: ({ template, model }) => template.includes("<minimax:tool_call>") || /minimax-?m2/.test(model),
  begins: ["<think>"],
  ends: ["</think>"],
  isAlwaysInside: true,
});
