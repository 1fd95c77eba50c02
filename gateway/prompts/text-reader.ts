import { inexactPrompt, type Prompt } from "../routing/prompt.ts";
import type { PromptBody, PromptKind, PromptReader } from "./prompt-reader.ts";

/** Bytes of text per id: about the length of an English token. */
const BYTES_PER_TOKEN = 4;

/**
 * Compares prompts by their text, for engines whose tokenizer is unavailable: every four bytes are an id. Common
 * prefixes of requests are found and lengths are approximate, but such ids never match KV events.
 */
export const textReader: PromptReader = {
  source: "text, four bytes per token",
  isExact: false,
  async read(kind, body) {
    return textPrompt(kind, body);
  },
  async count() {
    return undefined;
  },
};

/** A request's prompt with ids made from its text. */
export const textPrompt = (kind: PromptKind, body: PromptBody): Prompt =>
  inexactPrompt(textTokens(promptText(kind, body)));

function textTokens(text: string): Uint32Array {
  const bytes = encoder.encode(text);
  const tokens = new Uint32Array(Math.ceil(bytes.length / BYTES_PER_TOKEN));
  for (let index = 0; index < bytes.length; index++)
    tokens[index >> 2] = (tokens[index >> 2]! << 8) | bytes[index]!;
  return tokens;
}

/** All parts of a body's prompt, in an order such that the next turn of a conversation only appends to it. */
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
