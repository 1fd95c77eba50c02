import { tagFormat } from "./think-tags.ts";

/**
 * `<|channel>thought⏎…<channel|>` before the answer: Gemma 4. It may be empty.
 * Source: https://ai.google.dev/gemma/docs/core/prompt-formatting-gemma4
 */
export const gemmaReasoning = tagFormat({
  name: "gemma",
  matches: ({ template }) => template.includes("<|channel>"),
  begins: ["<|channel>thought"],
  ends: ["<channel|>"],
  controls: ["<|channel>", "<channel|>"],
});
