import type { EngineAdapter, EngineApi, EngineTokenizeRequest } from "../engines/types.ts";
import { recordsOf } from "../kernel/json.ts";
import { exactPrompt } from "../routing/prompt.ts";
import { conversationOf } from "./chat-conversation.ts";
import { type ChatFields, ConversationTokens } from "./conversation-tokens.ts";
import { firstPrompt } from "./first-prompt.ts";
import { MediaLengths, standInFor } from "./media-lengths.ts";
import {
  type MediaPart,
  mediaKindOf,
  mediaPartsIn,
  NO_PROMPT_MEDIA,
  type PromptMedia,
} from "./prompt-media.ts";
import type { PromptBody, PromptKind, PromptReader } from "./prompt-reader.ts";
import { textPrompt } from "./text-reader.ts";

/** An engine whose tokenizer can be used. */
export interface TokenizingEngine {
  readonly name: string;
  readonly api: EngineApi;
  readonly adapter: EngineAdapter;
}

/** How many tokens of texts are cached in total. */
const REMEMBERED_TOKENS = 8 * 1024 * 1024;

/** Reads prompts with the engines' own tokenizer, in turn, and caches the results: of conversations, by prefix. */
export function engineReader(model: string, engines: () => TokenizingEngine[]): PromptReader {
  const conversations = new ConversationTokens((chat) => ask({ model, chat }));
  const lengths = new MediaLengths((content) =>
    ask({ model, chat: { messages: [{ role: "user", content }] } }),
  );
  const known = new Map<string, Promise<Uint32Array>>();
  let remembered = 0;
  let turn = 0;

  async function ask(request: EngineTokenizeRequest): Promise<Uint32Array> {
    const all = engines();
    const engine = all[turn++ % all.length];
    if (engine === undefined) throw new Error("No engine is ready to tokenize.");
    return engine.adapter.tokenize(engine.api, request);
  }

  function remember(key: string, tokens: Promise<Uint32Array>): void {
    known.set(key, tokens);
    tokens.then(
      ({ length }) => {
        remembered += length;
        for (const [oldest, each] of known) {
          if (remembered <= REMEMBERED_TOKENS || oldest === key) return;
          known.delete(oldest);
          void each.then((forgotten) => {
            remembered -= forgotten.length;
          });
        }
      },
      () => known.delete(key),
    );
  }

  function readText(request: EngineTokenizeRequest & { prompt: string }): Promise<Uint32Array> {
    const tokens = known.get(request.prompt) ?? ask(request);
    if (!known.has(request.prompt)) remember(request.prompt, tokens);
    return tokens;
  }

  return {
    source: "the engine's /tokenize",
    isExact: true,
    async read(kind, body, media = NO_PROMPT_MEDIA) {
      const given = firstPrompt(kind, body);
      if (typeof given === "object") return exactPrompt(given);
      const request = tokenizeRequest(model, kind, body, given);
      if (request === undefined) return textPrompt(kind, body);
      try {
        if (!("chat" in request)) return exactPrompt(await readText(request));
        const { chat, parts } = withStandIns(request.chat, media);
        const tokens = await conversations.read(chat);
        return parts.length === 0 ? exactPrompt(tokens) : await lengths.place(tokens, parts);
      } catch {
        return textPrompt(kind, body);
      }
    },
    count: engineCount(model, engines),
  };
}

/** Counts a text's tokens with the first engine that can. */
export function engineCount(model: string, engines: () => TokenizingEngine[]): PromptReader["count"] {
  return async (text) => {
    // Some have no tokenizer endpoint, and some may have just stopped.
    for (const { adapter, api } of engines()) {
      const request = { model, prompt: text, isContinued: true };
      const tokens = await adapter.tokenize(api, request).catch(() => undefined);
      if (tokens !== undefined) return tokens.length;
    }
    return undefined;
  };
}

/** A chat with small media in the place of its own, and those. */
function withStandIns(chat: ChatFields, media: PromptMedia): { chat: ChatFields; parts: MediaPart[] } {
  const messages = recordsOf(chat.messages) ?? [];
  const parts = mediaPartsIn(messages, media);
  if (parts.length === 0) return { chat, parts };
  const standIn = (part: unknown) => {
    const kind = mediaKindOf(part);
    return kind === undefined ? part : standInFor(kind);
  };
  const changed = messages.map((message) =>
    Array.isArray(message.content) ? { ...message, content: message.content.map(standIn) } : message,
  );
  return { chat: { ...chat, messages: changed }, parts };
}

/** The fields of a chat that affect its tokens. */
const CHAT_FIELDS = [
  "messages",
  "tools",
  "chat_template_kwargs",
  "add_generation_prompt",
  "continue_final_message",
];

function tokenizeRequest(
  model: string,
  kind: PromptKind,
  body: PromptBody,
  prompt: string | undefined,
): EngineTokenizeRequest | undefined {
  if (prompt !== undefined) return { model, prompt };
  if (kind === "chat") {
    const fields = CHAT_FIELDS.filter((field) => body[field] !== undefined);
    return { model, chat: Object.fromEntries(fields.map((field) => [field, body[field]])) };
  }
  const conversation = conversationOf(kind, body);
  if (conversation === undefined) return undefined;
  const { messages, tools } = conversation;
  return { model, chat: { messages, ...(tools !== undefined && { tools }) } };
}
