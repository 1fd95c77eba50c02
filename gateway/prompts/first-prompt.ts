import type { PromptBody, PromptKind } from "./prompt-reader.ts";

/** The first prompt of a request that is not a chat, as text or token ids; undefined if there is none. */
export function firstPrompt(kind: PromptKind, body: PromptBody): string | Uint32Array | undefined {
  if (kind === "completions") return first(body.prompt);
  return kind === "embeddings" ? first(body.input) : undefined;
}

/** A prompt may be a text, token ids, or a list of either; the first of a list determines the route of all. */
function first(prompt: unknown): string | Uint32Array | undefined {
  if (typeof prompt === "string") return prompt;
  if (!Array.isArray(prompt)) return undefined;
  if (prompt.length > 0 && prompt.every((id) => typeof id === "number")) return Uint32Array.from(prompt);
  return prompt.length > 0 && !Array.isArray(prompt[0]) && typeof prompt[0] !== "string"
    ? undefined
    : first(prompt[0]);
}
