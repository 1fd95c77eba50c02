import { tagFormat } from "./think-tags.ts";

/**
 * `<think>…</think>` before the answer. Calls may begin within reasoning.
 * Source: https://huggingface.co/moonshotai/Kimi-K2-Thinking/blob/main/chat_template.jinja
 */
export const kimiK2Reasoning = tagFormat({
  name: "kimi-k2",
  matches: ({ template, model }) =>
    template.includes("<|im_middle|>") && (template.includes("<think>") || model.includes("thinking")),
  begins: ["<think>", "◁think▷"],
  ends: ["</think>", "◁/think▷"],
});
