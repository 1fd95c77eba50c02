import { tagFormat } from "./think-tags.ts";

/**
 * `Here is my thought process: … Here is my response: …` in Granite 3.2; `<think>…</think><response>…</response>` in 3.3.
 * Source: https://huggingface.co/ibm-granite/granite-3.2-8b-instruct and the chat template of Granite 3.3.
 */
export const graniteReasoning = tagFormat({
  name: "granite",
  matches: ({ template }) =>
    template.includes("<|start_of_role|>") && /Here is my thought process|<think>/.test(template),
  begins: ["Here is my thought process:", "Here's my thought process:", "<think>"],
  ends: ["Here is my response:", "Here's my response:", "</think>"],
  controls: ["<think>", "</think>", "<response>", "</response>"],
  answer: { begin: "<response>", end: "</response>" },
});
