import type { Context } from "hono";
import type { GatewayDependencies } from "../../dependencies.ts";
import type { GatewayEnv } from "../../env.ts";
import { invalidRequest } from "../../errors.ts";
import { withBos } from "../../pipeline/preprocess/bos.ts";
import { answerTokens, refuseHopelessLength } from "../../pipeline/preprocess/limits.ts";
import type { ServedModel } from "../../pipeline/serving/served-model.ts";
import { chatFormat } from "./chat-format.ts";
import { requireApi } from "./request.ts";
import { requireStreamForOptions, respond } from "./respond.ts";
import { stopsOf } from "./sampling.ts";
import { type ChatCompletionRequest, type ChatMessage, chatCompletionRequest } from "./schemas.ts";
import { refuseUnsupported, validate } from "./validate.ts";

const UNSUPPORTED = {
  tools: "Leave it out, or set it to an empty list.",
  tool_choice: "Leave it out, or set it to 'none'.",
  functions: "Leave it out.",
  function_call: "Leave it out, or set it to 'none'.",
  response_format: 'Only {"type": "text"} is.',
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
): Promise<Response> {
  refuseUnsupported(raw, UNSUPPORTED);
  const body = validate(chatCompletionRequest, raw);
  checkCombinations(body);
  const model = dependencies.models.ofWorkers(body.model);
  requireApi(model, "chat");
  const text = renderPrompt(body.messages, model);
  refuseHopelessLength(text, model, "messages");
  const tokens = withBos(await model.tokenizer.encode(text), model);
  const asked = body.max_completion_tokens ?? body.max_tokens;
  const maxTokens = answerTokens(tokens.length, asked, model, "messages");
  return respond(context, dependencies, {
    endpoint: "chat",
    idPrefix: "chatcmpl",
    model,
    body,
    prompts: [{ tokens, maxTokens }],
    stops: [...stopsOf(body.stop), ...model.template.stops],
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

function renderPrompt(messages: readonly ChatMessage[], model: ServedModel): string {
  return model.template.render(
    messages.map(({ role, content, name }) => ({
      // OpenAI renamed the role; chat templates know the old name.
      role: role === "developer" ? "system" : role,
      content: typeof content === "string" ? content : (content ?? []).map((part) => part.text).join(""),
      ...(name && { name }),
    })),
  );
}
