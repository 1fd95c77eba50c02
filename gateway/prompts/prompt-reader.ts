import type { Prompt } from "../routing/prompt.ts";

/** A request's body, as far as it says what the prompt is. */
export type PromptBody = Readonly<Record<string, unknown>>;

/** Which of a body's fields hold the prompt. */
export type PromptKind = "chat" | "completions" | "embeddings" | "responses" | "messages" | "none";

/**
 * Turns a request's prompt into the token ids by which the router compares it with what engines have cached. Ids of
 * the engine's own tokenizer match its KV events; others serve only to compare requests with each other.
 */
export interface PromptReader {
  /** What the ids are, for people: `tokenizer.json in /models/x`. */
  readonly source: string;
  /** Whether the ids are those of the engine. */
  readonly isExact: boolean;
  /** Never fails: what cannot be read is compared by its text. */
  read(kind: PromptKind, body: PromptBody): Promise<Prompt>;
  /** How many tokens a text has that follows others; undefined where the engine's tokenizer cannot be asked. Never fails. */
  count(text: string): Promise<number | undefined>;
}
