import type { PromptBody, PromptKind } from "./prompt-reader.ts";

/** The prompt of a request that has one and is no chat: a text, or token ids. */
export function firstPrompt(kind: PromptKind, body: PromptBody): string | Uint32Array | undefined {
  if (kind === "completions") return first(body.prompt);
  return kind === "embeddings" ? first(body.input) : undefined;
}

/** A prompt may be a text, token ids, or a list of either, of which the first decides where all go. */
function first(prompt: unknown): string | Uint32Array | undefined {
  if (typeof prompt === "string") return prompt;
  if (!Array.isArray(prompt)) return undefined;
  if (prompt.length > 0 && prompt.every((id) => typeof id === "number")) return Uint32Array.from(prompt);
  return prompt.length > 0 && !Array.isArray(prompt[0]) && typeof prompt[0] !== "string"
    ? undefined
    : first(prompt[0]);
}
