import type { Context } from "hono";
import { randomId } from "#runtime";
import type { GatewayEnv } from "../../access/env.ts";
import { invalidRequest } from "../../kernel/errors.ts";
import { chatConversation } from "../../prompts/chat-conversation.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { chatFormat } from "./chat-format.ts";
import { checkMessages, templateMessage } from "./chat-messages.ts";
import { readChat } from "./chat-prompt.ts";
import { kindsTaken, readOwnMedia } from "./own-media.ts";
import { requireApi } from "./request.ts";
import { requireStreamForOptions, respond } from "./respond.ts";
import { stopsOf } from "./sampling.ts";
import { type ChatCompletionRequest, chatCompletionRequest } from "./schemas.ts";
import { allowedCalls } from "./tool-choice.ts";
import { refuseUnsupported, validate } from "./validate.ts";

const UNSUPPORTED = {
  functions: "It is deprecated; send tools instead.",
  function_call: "It is deprecated; send tool_choice instead.",
  prompt_logprobs: "Leave it out; /v1/completions has those of a text with 'echo' and 'logprobs'.",
  audio: "Leave it out.",
  prediction: "Leave it out.",
  modalities: 'Leave it out, or set it to ["text"].',
  web_search_options: "Leave it out.",
};

/** `POST /v1/chat/completions` */
export async function chatCompletions(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  raw: unknown,
  hasOthers: boolean,
): Promise<Response> {
  refuseUnsupported(raw, UNSUPPORTED);
  checkMessages(raw, kindsTaken(dependencies, raw));
  const body = validate(chatCompletionRequest, raw);
  checkCombinations(body);
  const { model, adapter } = dependencies.models.answering(body.model);
  requireApi(model, "chat");
  const calls = allowedCalls(body);
  const { messages } = body;
  const { tokens, media, maxTokens, reading, grammar } = await readChat(model, {
    conversation: chatConversation(raw, messages.map(templateMessage)),
    media: await readOwnMedia(context, dependencies, model, { messages }),
    calls,
    structured: body,
    maxTokens: body.max_completion_tokens ?? body.max_tokens,
    param: "messages",
  });
  return respond(context, dependencies, {
    endpoint: "chat",
    id: `chatcmpl-${randomId()}`,
    model,
    adapter,
    hasOthers,
    body,
    prompts: [{ tokens, media, maxTokens }],
    stops: [...stopsOf(body.stop), ...model.template.stops],
    reading,
    grammar,
    logprobs: body.logprobs ? (body.top_logprobs ?? 0) : undefined,
    echoLogprobs: false,
    format: chatFormat,
  });
}

function checkCombinations(body: ChatCompletionRequest): void {
  if (body.max_tokens === 0)
    throw invalidRequest("Invalid value for 'max_tokens': must be at least 1.", "max_tokens");
  if (body.top_logprobs && !body.logprobs) {
    throw invalidRequest("'top_logprobs' needs 'logprobs' to be true.", "top_logprobs");
  }
  requireStreamForOptions(body);
}
