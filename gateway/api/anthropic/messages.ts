import type { Context } from "hono";
import { randomId } from "#runtime";
import type { GatewayEnv } from "../../access/env.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { answerCount } from "../openai/count-media.ts";
import { kindsTaken, readOwnMedia } from "../openai/own-media.ts";
import { requireApi } from "../openai/request.ts";
import { respond } from "../openai/respond.ts";
import { validate } from "../openai/validate.ts";
import { messagesFormat } from "./format.ts";
import { readMessages, refuseMedia, refuseServerTools } from "./prompt.ts";
import { countTokensRequest, messagesRequest } from "./schemas.ts";

/** `POST /v1/messages` */
export async function messages(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  raw: unknown,
  hasOthers: boolean,
): Promise<Response> {
  refuseMedia(raw, kindsTaken(dependencies, raw));
  refuseServerTools(raw);
  const { metadata, stop_sequences: stops, ...body } = validate(messagesRequest, raw);
  const { model, adapter } = dependencies.models.answering(body.model);
  requireApi(model, "chat");
  const found = await readOwnMedia(context, dependencies, model, { messages: body.messages });
  const { tokens, media, maxTokens, reading, grammar } = await readMessages(
    model,
    body,
    body.max_tokens,
    found,
  );
  const { temperature, top_p, top_k, max_tokens, stream, stator, cache_salt } = body;
  return respond(context, dependencies, {
    endpoint: "messages",
    id: `msg_${randomId()}`,
    model,
    adapter,
    hasOthers,
    body: { temperature, top_p, top_k, max_tokens, stream, stator, cache_salt, user: metadata?.user_id },
    prompts: [{ tokens, media, maxTokens }],
    stops: [...(stops ?? []), ...model.template.stops],
    reading,
    grammar,
    logprobs: undefined,
    echoLogprobs: false,
    format: (head) => messagesFormat(head, context.var.requestId),
  });
}

/** `POST /v1/messages/count_tokens` */
export async function countTokens(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  raw: unknown,
): Promise<Response> {
  refuseMedia(raw, kindsTaken(dependencies, raw));
  refuseServerTools(raw);
  const body = validate(countTokensRequest, raw);
  const model = dependencies.models.ofWorkers(body.model);
  requireApi(model, "chat");
  const media = await readOwnMedia(context, dependencies, model, { messages: body.messages });
  const prompt = await readMessages(model, body, undefined, media);
  return answerCount(context, dependencies, model, "messages", prompt, (count) => ({ input_tokens: count }));
}
