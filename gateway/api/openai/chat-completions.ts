import type { Context } from "hono";
import { randomId } from "#runtime";
import type { GatewayEnv } from "../../access/env.ts";
import { ApiError, invalidRequest } from "../../kernel/errors.ts";
import { chatConversation } from "../../prompts/chat-conversation.ts";
import type { Message } from "../../prompts/conversation.ts";
import { MOST_MESSAGES } from "../../prompts/limits.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { chatFormat } from "./chat-format.ts";
import { readChat } from "./chat-prompt.ts";
import { requireApi } from "./request.ts";
import { requireStreamForOptions, respond } from "./respond.ts";
import { stopsOf } from "./sampling.ts";
import { type ChatCompletionRequest, type ChatMessage, chatCompletionRequest } from "./schemas.ts";
import { allowedCalls, refuseBuiltInTools } from "./tool-choice.ts";
import { refuseUnsupported, validate } from "./validate.ts";

const UNSUPPORTED = {
  functions: "It is deprecated; send tools instead.",
  function_call: "It is deprecated; send tool_choice instead.",
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
  refuseTooManyMessages(raw);
  refuseMedia(raw);
  refuseBuiltInTools(raw, ["function"]);
  const body = validate(chatCompletionRequest, raw);
  checkCombinations(body);
  const model = dependencies.models.ofWorkers(body.model);
  requireApi(model, "chat");
  const calls = allowedCalls(body);
  const { tokens, maxTokens, reading, grammar } = await readChat(model, {
    conversation: chatConversation(raw, body.messages.map(templateMessage)),
    calls,
    structured: body,
    maxTokens: body.max_completion_tokens ?? body.max_tokens,
    param: "messages",
  });
  return respond(context, dependencies, {
    endpoint: "chat",
    id: `chatcmpl-${randomId()}`,
    model,
    hasOthers,
    body,
    prompts: [{ tokens, maxTokens }],
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

/** Refuses images and the like as unsupported, not as invalid: an engine of the same model may accept them. */
function refuseMedia(raw: unknown): void {
  const messages: unknown = Reflect.get(Object(raw), "messages");
  if (!Array.isArray(messages)) return;
  for (const [index, message] of messages.entries()) {
    const content: unknown = Reflect.get(Object(message), "content");
    if (!Array.isArray(content)) continue;
    const part = content.findIndex((each) => !["text", "undefined"].includes(typeOf(each)));
    if (part === -1) continue;
    const text = `Content parts of type '${typeOf(content[part])}' are not supported by this model's workers. Send only 'text'.`;
    const param = `messages[${index}].content[${part}]`;
    throw new ApiError(400, "invalid_request_error", text, { param, code: "unsupported_parameter" });
  }
}

const typeOf = (part: unknown): string => String(Reflect.get(Object(part), "type"));

/** Runs before the messages are validated one by one. */
function refuseTooManyMessages(raw: unknown): void {
  const messages: unknown = Reflect.get(Object(raw), "messages");
  if (!Array.isArray(messages) || messages.length <= MOST_MESSAGES) return;
  throw invalidRequest(
    `Invalid value for 'messages': it has ${messages.length} messages; at most ${MOST_MESSAGES} are allowed.`,
    "messages",
    "array_above_max_length",
  );
}

function templateMessage({ role, content, ...rest }: ChatMessage): Message {
  const given = Object.entries(rest).filter(([, value]) => value !== null && value !== undefined);
  return {
    ...Object.fromEntries(given),
    // OpenAI renamed the role; chat templates only know the old name.
    role: role === "developer" ? "system" : role,
    content: content ?? "",
  };
}
