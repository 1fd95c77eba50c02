import { isRecord, recordsOf } from "../kernel/json.ts";
import type { Conversation, Message } from "./conversation.ts";
import { messagesConversation } from "./messages-conversation.ts";
import type { PromptBody, PromptKind } from "./prompt-reader.ts";
import { responsesConversation } from "./responses-conversation.ts";
import { chatTools } from "./tool-definitions.ts";

/** The conversation in a request's body; undefined if it has none. */
export function conversationOf(kind: PromptKind, body: PromptBody): Conversation | undefined {
  switch (kind) {
    case "chat":
      return fromChat(body);
    case "messages":
      return messagesConversation(body);
    case "responses":
      return responsesConversation(body);
    default:
      return undefined;
  }
}

function fromChat(body: PromptBody): Conversation | undefined {
  const messages = recordsOf(body.messages);
  return messages && chatConversation(body, messages);
}

/** The conversation in a chat request's body, with other messages. */
export function chatConversation(json: unknown, messages: readonly Message[]): Conversation {
  const body: PromptBody = isRecord(json) ? json : {};
  return {
    messages,
    tools: chatTools(body.tools),
    templateArguments: {
      // Templates differ in the name that they read.
      ...(body.reasoning_effort === "none" && { enable_thinking: false, thinking: false }),
      ...(isRecord(body.chat_template_kwargs) && body.chat_template_kwargs),
      ...(body.documents !== undefined && { documents: body.documents }),
      ...(typeof body.reasoning_effort === "string" && { reasoning_effort: body.reasoning_effort }),
    },
    addsGenerationPrompt: body.add_generation_prompt !== false,
    continuesFinalMessage: body.continue_final_message === true,
  };
}
