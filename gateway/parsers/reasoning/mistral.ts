import { tagFormat } from "./think-tags.ts";

/**
 * `[THINK]…[/THINK]` before the answer: Magistral since 1.1, and Mistral's later models.
 * Source: https://huggingface.co/mistralai/Magistral-Small-2507
 */
export const mistralReasoning = tagFormat({
  name: "mistral",
  matches: ({ template }) => template.includes("[THINK]"),
  begins: ["[THINK]"],
  ends: ["[/THINK]"],
});
