import { conversationOf } from "./chat-conversation.ts";
import type { PromptBody, PromptKind, PromptReader } from "./prompt-reader.ts";
import type { PromptTemplate } from "./prompt-template.ts";
import { promptText, textTokens } from "./text-reader.ts";

export interface TokenizingParts {
  readonly source: string;
  readonly template: PromptTemplate | undefined;
  /** Token ids of a text alone; texts of control tokens become those tokens. */
  encode(text: string): Promise<Uint32Array>;
  /** What the tokenizer puts before a text that is no chat: the beginning-of-sequence token, mostly. */
  readonly prefix: readonly number[];
}

/** Renders and tokenises prompts in the gateway, exactly as the engine will. */
export function tokenizingReader({ source, template, encode, prefix }: TokenizingParts): PromptReader {
  return {
    source,
    isExact: true,
    async read(kind, body) {
      try {
        return (await chatTokens(kind, body)) ?? (await textPromptTokens(kind, body)) ?? compared(kind, body);
      } catch {
        // The engine will say what is wrong with it.
        return compared(kind, body);
      }
    },
  };

  async function chatTokens(kind: PromptKind, body: PromptBody): Promise<Uint32Array | undefined> {
    const conversation = template && conversationOf(kind, body);
    return conversation && encode(template.render(conversation));
  }

  async function textPromptTokens(kind: PromptKind, body: PromptBody): Promise<Uint32Array | undefined> {
    if (kind !== "completions" && kind !== "embeddings") return undefined;
    const given = firstPrompt(kind === "completions" ? body.prompt : body.input);
    if (typeof given !== "string") return given;
    const tokens = await encode(given);
    if (prefix.length === 0 || body.add_special_tokens === false) return tokens;
    const all = new Uint32Array(prefix.length + tokens.length);
    all.set(prefix);
    all.set(tokens, prefix.length);
    return all;
  }
}

/** A prompt may be a text, token ids, or a list of either, of which the first decides where all go. */
function firstPrompt(prompt: unknown): string | Uint32Array | undefined {
  if (typeof prompt === "string") return prompt;
  if (!Array.isArray(prompt)) return undefined;
  if (prompt.length > 0 && prompt.every((id) => typeof id === "number")) return Uint32Array.from(prompt);
  return prompt.length > 0 && !Array.isArray(prompt[0]) && typeof prompt[0] !== "string"
    ? undefined
    : firstPrompt(prompt[0]);
}

const compared = (kind: PromptKind, body: PromptBody) => textTokens(promptText(kind, body));
