import type { Context } from "hono";
import { randomId } from "#runtime";
import type { GatewayEnv } from "../../access/env.ts";
import { invalidRequest } from "../../kernel/errors.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { answerCount } from "../openai/count-media.ts";
import type { AnswerHead } from "../openai/format.ts";
import { readOwnMedia } from "../openai/own-media.ts";
import { requireApi } from "../openai/request.ts";
import { respond } from "../openai/respond.ts";
import { refuseBuiltInTools } from "../openai/tool-choice.ts";
import { refuseUnsupported, validate } from "../openai/validate.ts";
import { inBackground } from "./background.ts";
import { conversationItems } from "./conversation.ts";
import { responsesFormat } from "./format.ts";
import { LOGPROBS } from "./include.ts";
import { RESPONSE } from "./items.ts";
import { ownerOf } from "./owner.ts";
import { readResponse, refuseUnsupportedItems } from "./prompt.ts";
import { newResponse } from "./response.ts";
import { saver } from "./saver.ts";
import { inputTokensRequest, type ResponsesRequest, responsesRequest } from "./schemas.ts";
import { clientNames } from "./tools.ts";

/** Types of tools that the client runs. */
const FUNCTIONS = ["function", "namespace"];

/** Parameters that are refused, and what to do instead. */
const UNSUPPORTED = {
  prompt: "Stored prompts are not here; send input and instructions.",
  max_tool_calls: "Leave it out.",
};

/** `POST /v1/responses` */
export async function responses(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  raw: unknown,
  hasOthers: boolean,
): Promise<Response> {
  const body = readCreation(raw);
  const { models, responses: store } = dependencies;
  const { model, adapter } = models.answering(body.model);
  requireApi(model, "chat");
  const owner = ownerOf(context);
  const { input, all } = await conversationItems(store, owner, body);
  const found = await readOwnMedia(context, dependencies, model, { input: all });
  const { tokens, media, maxTokens, reading, grammar } = await readResponse(
    model,
    body,
    all,
    body.max_output_tokens,
    found,
  );
  const id = `${RESPONSE}${randomId()}`;
  const { max_output_tokens: max_tokens, metadata: _, ...sampling } = body;
  const made = () =>
    respond(context, dependencies, {
      endpoint: "responses",
      id,
      model,
      adapter,
      hasOthers: hasOthers && !body.background,
      body: { ...sampling, max_tokens },
      prompts: [{ tokens, media, maxTokens }],
      stops: model.template.stops,
      reading,
      grammar,
      logprobs: logprobsOf(body),
      echoLogprobs: false,
      format: (head) =>
        responsesFormat(head, begun(head), clientNames(body), saver(dependencies, body, owner, input)),
    });
  const begun = ({ model, created }: Pick<AnswerHead, "model" | "created">) =>
    newResponse(id, model, created, body);
  if (!body.background) return made();
  const response = begun({ model: adapter ?? model.card.name, created: Math.floor(Date.now() / 1000) });
  return inBackground(context, dependencies, { owner, response, input }, body.stream === true, made);
}

/** How many of the most likely tokens come with each one; undefined for no log probabilities. */
export const logprobsOf = ({ include, top_logprobs }: ResponsesRequest): number | undefined =>
  include?.includes(LOGPROBS) || top_logprobs ? (top_logprobs ?? 0) : undefined;

/** A request for a response. @throws ApiError 400 */
export function readCreation(raw: unknown): ResponsesRequest {
  refuseUnsupported(raw, UNSUPPORTED);
  refuseUnsupportedItems(raw);
  refuseBuiltInTools(raw, FUNCTIONS);
  const body = validate(responsesRequest, raw);
  if (body.background && body.store === false)
    throw invalidRequest("'background' needs 'store': nobody could get the response.", "background");
  return body;
}

/** `POST /v1/responses/input_tokens` */
export async function inputTokens(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  raw: unknown,
): Promise<Response> {
  refuseUnsupportedItems(raw);
  refuseBuiltInTools(raw, FUNCTIONS);
  const body = validate(inputTokensRequest, raw);
  const model = dependencies.models.ofWorkers(body.model);
  requireApi(model, "chat");
  const { all } = await conversationItems(dependencies.responses, ownerOf(context), body);
  const media = await readOwnMedia(context, dependencies, model, { input: all });
  const prompt = await readResponse(model, body, all, undefined, media);
  return answerCount(context, dependencies, model, "responses", prompt, (count) => ({
    object: "response.input_tokens",
    input_tokens: count,
  }));
}
