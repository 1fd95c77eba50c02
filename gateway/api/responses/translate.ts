import { randomId } from "#runtime";
import { given } from "../../kernel/json.ts";
import type { AnswerHead } from "../openai/format.ts";
import { streamFields, translatedHead } from "../translation/chat-fields.ts";
import type { Translator } from "../translation/translation.ts";
import { conversationItems } from "./conversation.ts";
import { responsesFormat } from "./format.ts";
import { RESPONSE } from "./items.ts";
import { ownerOf } from "./owner.ts";
import { choiceOf, conversationOf, structuredOf } from "./prompt.ts";
import { newResponse } from "./response.ts";
import { readCreation, saver } from "./responses.ts";
import { clientNames } from "./tools.ts";

/** Turns `/v1/responses` into a chat completion. */
export const translateResponses: Translator = async (context, dependencies, json) => {
  const body = readCreation(json);
  const owner = ownerOf(context);
  const { input, all } = await conversationItems(dependencies.responses, owner, body);
  const { messages, tools, templateArguments } = conversationOf(body, all);
  const id = `${RESPONSE}${randomId()}`;
  const begun = ({ model, created }: AnswerHead) => newResponse(id, model, created, body);
  return {
    chat: {
      model: body.model,
      messages,
      ...(tools && { tools }),
      ...given({
        tool_choice: choiceOf(body.tool_choice),
        parallel_tool_calls: body.parallel_tool_calls,
        max_tokens: body.max_output_tokens,
        temperature: body.temperature,
        top_p: body.top_p,
        reasoning_effort: templateArguments.reasoning_effort,
        user: body.user,
        prompt_cache_key: body.prompt_cache_key,
        stator: body.stator,
        cache_salt: body.cache_salt,
      }),
      ...structuredOf(body),
      ...streamFields(body.stream || body.background),
    },
    format: (promptTokens) => {
      const head = translatedHead(id, body.model, promptTokens);
      return responsesFormat(head, begun(head), clientNames(body), saver(dependencies, body, owner, input));
    },
    errorBody: (error) => error,
    background: body.background
      ? {
          stored: { owner, response: begun(translatedHead(id, body.model, 0)), input },
          isStreamed: body.stream === true,
        }
      : undefined,
  };
};
