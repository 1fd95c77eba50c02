import { randomId } from "#runtime";
import { given } from "../../kernel/json.ts";
import type { PromptBody } from "../../prompts/prompt-reader.ts";
import type { AnswerHead } from "../openai/format.ts";
import { furtherSampling } from "../openai/schemas.ts";
import { streamFields, translatedHead } from "../translation/chat-fields.ts";
import { QuotedTokens } from "../translation/quoted-tokens.ts";
import type { Translation, Translator } from "../translation/translation.ts";
import { conversationItems } from "./conversation.ts";
import { responsesFormat } from "./format.ts";
import { RESPONSE } from "./items.ts";
import { ownerOf } from "./owner.ts";
import { choiceOf, conversationOf, FIELD_NAMES, structuredOf, withoutOldest } from "./prompt.ts";
import { newResponse } from "./response.ts";
import { logprobsOf, readCreation } from "./responses.ts";
import { saver } from "./saver.ts";
import type { InputItem } from "./schemas.ts";
import { clientNames } from "./tools.ts";

/** Turns `/v1/responses` into a chat completion. */
export const translateResponses: Translator = async (context, dependencies, json) => {
  const body = readCreation(json);
  const { models, responses } = dependencies;
  const owner = ownerOf(context);
  const { input, all } = await conversationItems(responses, owner, body);
  const id = `${RESPONSE}${randomId()}`;
  const logprobs = logprobsOf(body);
  const quoted = logprobs === undefined ? undefined : new QuotedTokens();
  const begun = ({ model, created }: AnswerHead) => newResponse(id, model, created, body);
  const headFor = (promptTokens: number) => translatedHead(id, models, body.model, promptTokens, quoted);
  const chatOf = (items: readonly InputItem[]): PromptBody => {
    const { messages, tools, templateArguments } = conversationOf(body, items, "after-results");
    return {
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
      ...given(Object.fromEntries(FURTHER.map((name) => [name, body[name]]))),
      ...(logprobs !== undefined && { logprobs: true, top_logprobs: logprobs }),
      ...structuredOf(body),
      ...streamFields(body.stream || body.background),
    };
  };
  const translationOf = (items: readonly InputItem[]): Translation => {
    const rest = body.truncation === "auto" ? withoutOldest(items) : [];
    return {
      chat: chatOf(items),
      format: (promptTokens) => {
        const head = headFor(promptTokens);
        return responsesFormat(head, begun(head), clientNames(body), saver(dependencies, body, owner, input));
      },
      quoted,
      errorBody: (error) => error,
      fieldNames: FIELD_NAMES,
      background: body.background
        ? { stored: { owner, response: begun(headFor(0)), input }, isStreamed: body.stream === true }
        : undefined,
      shorter: rest.length === 0 ? undefined : () => translationOf(rest),
    };
  };
  return translationOf(all);
};

/** Parameters with the same meaning in chats. */
const FURTHER = Object.keys(furtherSampling) as (keyof typeof furtherSampling)[];
