import type { Prompt } from "../routing/prompt.ts";
import type { PromptMedia } from "./prompt-media.ts";

/** A request's body, from which the prompt is read. */
export type PromptBody = Readonly<Record<string, unknown>>;

/** Determines which fields of a body have the prompt. */
export type PromptKind = "chat" | "completions" | "embeddings" | "responses" | "messages" | "none";

/**
 * Turns a request's prompt into token ids, by which the router compares it with engines' caches. Ids from the engine's
 * own tokenizer match its KV events; others only serve to compare requests with each other.
 */
export interface PromptReader {
  /** Where the ids come from, for display: `tokenizer.json in /models/x`. */
  readonly source: string;
  /** Whether the ids are from the engine's tokenizer. */
  readonly isExact: boolean;
  /**
   * Never fails: a prompt that cannot be tokenized is compared by its text.
   * @param media for which the body has names
   */
  read(kind: PromptKind, body: PromptBody, media?: PromptMedia): Promise<Prompt>;
  /** Counts the tokens of text that follows other text; undefined without the engine's tokenizer. Never fails. */
  count(text: string): Promise<number | undefined>;
}
