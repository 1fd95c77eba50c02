import { randomId } from "#runtime";
import { anthropicError } from "../../kernel/anthropic-error.ts";
import { given } from "../../kernel/json.ts";
import { messagesConversation } from "../../prompts/messages-conversation.ts";
import { validate } from "../openai/validate.ts";
import { streamFields, translatedHead } from "../translation/chat-fields.ts";
import type { Translator } from "../translation/translation.ts";
import { messagesFormat } from "./format.ts";
import { choiceOf, FIELD_NAMES, refuseServerTools, refuseUnknownBlocks, structuredOf } from "./prompt.ts";
import { messagesRequest } from "./schemas.ts";
import { withDocumentsAsText } from "./text-documents.ts";

/** Turns `/v1/messages` into a chat completion. */
export const translateMessages: Translator = async (context, { models }, json) => {
  refuseUnknownBlocks(json);
  refuseServerTools(json);
  const body = validate(messagesRequest, json);
  const { requestId } = context.var;
  const { messages, tools } = messagesConversation({
    ...body,
    messages: withDocumentsAsText(body.messages),
  })!;
  const { stream, thinking, tool_choice: choice } = body;
  const id = `msg_${randomId()}`;
  return {
    chat: {
      model: body.model,
      messages,
      max_tokens: body.max_tokens,
      ...(tools && { tools }),
      ...choiceFields(choice),
      ...(thinking && { chat_template_kwargs: { enable_thinking: thinking.type !== "disabled" } }),
      ...given({
        temperature: body.temperature,
        top_p: body.top_p,
        top_k: body.top_k,
        stop: body.stop_sequences,
        user: body.metadata?.user_id,
        stator: body.stator,
        cache_salt: body.cache_salt,
      }),
      ...structuredOf(body),
      ...streamFields(stream),
    },
    format: (promptTokens) => messagesFormat(translatedHead(id, models, body.model, promptTokens), requestId),
    fieldNames: FIELD_NAMES,
    shorter: undefined,
    errorBody: (error) => anthropicError(error, requestId),
  };
};

function choiceFields(choice: ReturnType<typeof messagesRequest.parse>["tool_choice"]): object {
  if (!choice) return {};
  const isSingle = "disable_parallel_tool_use" in choice && choice.disable_parallel_tool_use;
  return { tool_choice: choiceOf(choice), ...(isSingle && { parallel_tool_calls: false }) };
}
