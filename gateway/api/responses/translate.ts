import { randomId } from "#runtime";
import type { AnswerHead } from "../openai/format.ts";
import { refuseBuiltInTools } from "../openai/tool-choice.ts";
import { refuseUnsupported, validate } from "../openai/validate.ts";
import { given, streamFields, translatedHead } from "../translation/chat-fields.ts";
import type { Translator } from "../translation/translation.ts";
import { itemsOf, itemsUpTo, resolved } from "./conversation.ts";
import { responsesFormat } from "./format.ts";
import { RESPONSE } from "./items.ts";
import { ownerOf } from "./owner.ts";
import { choiceOf, conversationOf, refuseUnsupportedItems, structuredOf } from "./prompt.ts";
import { newResponse } from "./response.ts";
import { FUNCTIONS, refuseUnstored, saver, UNSUPPORTED } from "./responses.ts";
import { responsesRequest } from "./schemas.ts";
import { clientNames } from "./tools.ts";

/** Turns `/v1/responses` into a chat completion. */
export const translateResponses: Translator = async (context, dependencies, json) => {
  refuseUnsupported(json, UNSUPPORTED);
  refuseUnsupportedItems(json);
  refuseBuiltInTools(json, FUNCTIONS);
  const body = validate(responsesRequest, json);
  refuseUnstored(body);
  const owner = ownerOf(context);
  const store = dependencies.responses;
  const input = await resolved(store, owner, itemsOf(body.input));
  const history = await itemsUpTo(store, owner, body.previous_response_id);
  const { messages, tools, templateArguments } = conversationOf(body, [...history, ...input]);
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
