import { conversationOf } from "./chat-conversation.ts";
import type { Conversation } from "./conversation.ts";
import { firstPrompt } from "./first-prompt.ts";
import type { PromptBody, PromptKind, PromptReader } from "./prompt-reader.ts";
import { promptText, textTokens } from "./text-reader.ts";

export interface TokenizingParts {
  readonly source: string;
  readonly template: { render(conversation: Conversation): string } | undefined;
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
    async count(text) {
      try {
        return (await encode(text)).length;
      } catch {
        return undefined;
      }
    },
  };

  async function chatTokens(kind: PromptKind, body: PromptBody): Promise<Uint32Array | undefined> {
    const conversation = template && conversationOf(kind, body);
    return conversation && encode(template.render(conversation));
  }

  async function textPromptTokens(kind: PromptKind, body: PromptBody): Promise<Uint32Array | undefined> {
    const given = firstPrompt(kind, body);
    if (typeof given !== "string") return given;
    const tokens = await encode(given);
    if (prefix.length === 0 || body.add_special_tokens === false) return tokens;
    const all = new Uint32Array(prefix.length + tokens.length);
    all.set(prefix);
    all.set(tokens, prefix.length);
    return all;
  }
}

const compared = (kind: PromptKind, body: PromptBody) => textTokens(promptText(kind, body));
