import { exactPrompt, type Prompt } from "../routing/prompt.ts";
import { conversationOf } from "./chat-conversation.ts";
import type { Conversation } from "./conversation.ts";
import { firstPrompt } from "./first-prompt.ts";
import { encodeWithPlaceholders, type MediaPlaces, NO_PLACES, placeMedia } from "./media.ts";
import { mediaPartsIn, NO_PROMPT_MEDIA, type PromptMedia } from "./prompt-media.ts";
import type { PromptBody, PromptKind, PromptReader } from "./prompt-reader.ts";
import { textPrompt } from "./text-reader.ts";

export interface TokenizingParts {
  readonly source: string;
  readonly template: { render(conversation: Conversation): string } | undefined;
  /** Tokenizes a text without adding tokens; texts of control tokens become those tokens. */
  encode(text: string): Promise<Uint32Array>;
  /** Token ids that the tokenizer prepends to a text that is not a chat: usually the beginning-of-sequence token. */
  readonly prefix: readonly number[];
  /** Default: the model has none. */
  readonly media?: MediaPlaces | undefined;
}

/** Renders and tokenises prompts in the gateway, exactly as the engine will. */
export function tokenizingReader({
  source,
  template,
  encode,
  prefix,
  media: places = NO_PLACES,
}: TokenizingParts): PromptReader {
  return {
    source,
    isExact: true,
    async read(kind, body, media = NO_PROMPT_MEDIA) {
      try {
        return (
          (await chatPrompt(kind, body, media)) ?? (await givenPrompt(kind, body)) ?? textPrompt(kind, body)
        );
      } catch {
        // The engine will report the error.
        return textPrompt(kind, body);
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

  async function chatPrompt(
    kind: PromptKind,
    body: PromptBody,
    media: PromptMedia,
  ): Promise<Prompt | undefined> {
    const conversation = template && conversationOf(kind, body);
    if (conversation === undefined) return undefined;
    const parts = mediaPartsIn(conversation.messages, media);
    const text = template!.render(conversation);
    const tokens =
      parts.length === 0 ? await encode(text) : await encodeWithPlaceholders(text, encode, places);
    return parts.length === 0 ? exactPrompt(tokens) : placeMedia(tokens, parts, places);
  }

  async function givenPrompt(kind: PromptKind, body: PromptBody): Promise<Prompt | undefined> {
    const given = firstPrompt(kind, body);
    if (given === undefined) return undefined;
    return exactPrompt(typeof given === "string" ? await textTokens(given, body) : given);
  }

  async function textTokens(text: string, body: PromptBody): Promise<Uint32Array> {
    const tokens = await encode(text);
    if (prefix.length === 0 || body.add_special_tokens === false) return tokens;
    const all = new Uint32Array(prefix.length + tokens.length);
    all.set(prefix);
    all.set(tokens, prefix.length);
    return all;
  }
}
