import type { PromptBody, PromptKind } from "./prompt-reader.ts";

/** A request's prompt as a chat, which engines make of it whatever API it came by. */
export interface Conversation {
  readonly messages: readonly Readonly<Record<string, unknown>>[];
  readonly tools: unknown;
  /** Further variables of the chat template. */
  readonly templateArguments: Readonly<Record<string, unknown>>;
  readonly addsGenerationPrompt: boolean;
  readonly continuesFinalMessage: boolean;
}

/** Undefined where the body has no conversation. */
export function conversationOf(kind: PromptKind, body: PromptBody): Conversation | undefined {
  switch (kind) {
    case "chat":
      return fromChat(body);
    case "messages":
      return fromMessages(body);
    case "responses":
      return fromResponses(body);
    default:
      return undefined;
  }
}

function fromChat(body: PromptBody): Conversation | undefined {
  const messages = recordsOf(body.messages);
  if (messages === undefined) return undefined;
  return {
    messages,
    tools: nonEmpty(body.tools),
    templateArguments: {
      ...(isRecord(body.chat_template_kwargs) && body.chat_template_kwargs),
      ...(body.documents !== undefined && { documents: body.documents }),
      ...(typeof body.reasoning_effort === "string" && { reasoning_effort: body.reasoning_effort }),
    },
    addsGenerationPrompt: body.add_generation_prompt !== false,
    continuesFinalMessage: body.continue_final_message === true,
  };
}

/** Anthropic's Messages API: the system prompt stands apart, and contents are blocks. */
function fromMessages(body: PromptBody): Conversation | undefined {
  const messages = recordsOf(body.messages);
  if (messages === undefined) return undefined;
  const system = body.system === undefined ? [] : [{ role: "system", content: textOf(body.system) }];
  return {
    ...PLAIN,
    messages: [...system, ...messages.map(({ role, content }) => ({ role, content: textOf(content) }))],
  };
}

/** OpenAI's Responses API. */
function fromResponses(body: PromptBody): Conversation | undefined {
  const { input, instructions } = body;
  const system = typeof instructions === "string" ? [{ role: "system", content: instructions }] : [];
  if (typeof input === "string") return { ...PLAIN, messages: [...system, { role: "user", content: input }] };
  const items = recordsOf(input);
  if (items === undefined) return undefined;
  const messages = items.filter((item) => typeof item.role === "string");
  return {
    ...PLAIN,
    messages: [...system, ...messages.map(({ role, content }) => ({ role, content: textOf(content) }))],
  };
}

const PLAIN = {
  tools: undefined,
  templateArguments: {},
  addsGenerationPrompt: true,
  continuesFinalMessage: false,
};

/** The text of a content that may be a text or a list of parts. */
export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  const parts = recordsOf(content) ?? [];
  return parts.flatMap(({ text }) => (typeof text === "string" ? [text] : [])).join("\n");
}

function recordsOf(value: unknown): Record<string, unknown>[] | undefined {
  return Array.isArray(value) && value.every(isRecord) ? value : undefined;
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const nonEmpty = (value: unknown) => (Array.isArray(value) && value.length > 0 ? value : undefined);
