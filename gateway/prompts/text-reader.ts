import { inexactPrompt, type Prompt } from "../routing/prompt.ts";
import type { PromptBody, PromptKind, PromptReader } from "./prompt-reader.ts";

/** Bytes of text that stand for a token: about what a token has in English. */
const BYTES_PER_TOKEN = 4;

/**
 * Compares prompts by their text, for engines whose tokenizer is out of reach: each four bytes are an id. What two
 * requests have in common is found, and how long they are comes near; KV events say nothing about such ids.
 */
export const textReader: PromptReader = {
  source: "text, four bytes a token",
  isExact: false,
  async read(kind, body) {
    return textPrompt(kind, body);
  },
  async count() {
    return undefined;
  },
};

/** A request's prompt by its text. */
export const textPrompt = (kind: PromptKind, body: PromptBody): Prompt =>
  inexactPrompt(textTokens(promptText(kind, body)));

function textTokens(text: string): Uint32Array {
  const bytes = encoder.encode(text);
  const tokens = new Uint32Array(Math.ceil(bytes.length / BYTES_PER_TOKEN));
  for (let index = 0; index < bytes.length; index++)
    tokens[index >> 2] = (tokens[index >> 2]! << 8) | bytes[index]!;
  return tokens;
}

/** All that a body says of the prompt, in an order in which a conversation's next turn only adds to it. */
function promptText(kind: PromptKind, body: PromptBody): string {
  switch (kind) {
    case "chat":
      return JSON.stringify([body.tools ?? null, body.messages]);
    case "messages":
      return JSON.stringify([body.tools ?? null, body.system ?? null, body.messages]);
    case "responses":
      return JSON.stringify([body.tools ?? null, body.instructions ?? null, body.input]);
    case "completions":
      return asText(body.prompt);
    case "embeddings":
      return asText(body.input);
    case "none":
      return "";
  }
}

const encoder = new TextEncoder();

const asText = (value: unknown) => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
