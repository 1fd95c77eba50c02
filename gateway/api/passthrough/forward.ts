import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import { encodeHeaderValue } from "../../kernel/header-values.ts";
import type { MediaStrings } from "../../media/excise.ts";
import type { RequestMedia } from "../../media/read-media.ts";
import type { EngineTarget } from "../../models/members/engine-member.ts";
import { isSaltable } from "../../models/members/saltable.ts";
import type { EngineSide, Model } from "../../models/model.ts";
import type { AnswerFormats } from "../../parsers/answer-parser.ts";
import { NO_PARSER } from "../../parsers/formats.ts";
import { hasManyMessages, refuseOverlongConversation } from "../../prompts/limits.ts";
import type { PromptBody, PromptKind } from "../../prompts/prompt-reader.ts";
import { textReader } from "../../prompts/text-reader.ts";
import { choicesOf, continuationOf } from "../../requests/wire/continuation.ts";
import type { WireJob } from "../../requests/wire/job.ts";
import { isPrefillWorker } from "../../routing/filters/role.ts";
import { exactPrompt, type Prompt } from "../../routing/prompt.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import type { Endpoint } from "../endpoint.ts";
import { endpointOf, resourceOf, usesCache } from "../endpoints.ts";
import { beginRequest, expectedAnswer } from "../openai/request.ts";
import { rescueFormats } from "../rescue/options.ts";
import { formatsFor } from "../rescue/rescuer.ts";
import { CHAT_PATH, type Translation } from "../translation/translation.ts";
import type { Candidate } from "./candidates.ts";
import { bodiesFor, ownFieldsOf } from "./engine-bodies.ts";
import type { ModelInForm } from "./form.ts";
import { forwardedHeaders } from "./headers.ts";
import { type IdentifiedMedia, identifyMedia, placedMedia, vllmModelOf } from "./media-ids.ts";
import { preferenceFields } from "./preference-fields.ts";
import { modelOfJson, renameInForm, renameInJson, renameInQuery } from "./rename.ts";
import { removeReservedFields } from "./reserved-fields.ts";
import { engineFor } from "./resource-owner.ts";
import { namespaceFor, requireSaltable, routingSalt } from "./salts.ts";
import { send } from "./send.ts";
import { stableFieldOf, withStableField } from "./stable-prefix.ts";

/** A request for attached engines. */
export interface EngineRequest {
  /** The raw body; undefined if there is none. */
  readonly bytes: Uint8Array | undefined;
  /** The parsed body, if it is a JSON object. */
  readonly body: PromptBody | undefined;
  /** The model's name and position, if the body is a form that names one. */
  readonly form: ModelInForm | undefined;
  /** What the body has stand-ins for; undefined if it is whole. */
  readonly strings?: MediaStrings | undefined;
  /** Its checked media. */
  readonly media?: RequestMedia | undefined;
  /** Set if the body is a chat completion that stands for a request of another API. */
  readonly translation?: Translation | undefined;
}

/**
 * Forwards the request to the model's best engine and returns the engine's answer unchanged.
 * @param hasOthers whether another model may answer if this one cannot
 * @throws FallbackError if another model should be asked
 */
export async function forward(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  given: EngineRequest,
  { model: found, adapter, rename, fallbackFor }: Candidate,
  hasOthers: boolean,
): Promise<Response> {
  const model = found.engines;
  const { translation } = given;
  const { method } = context.req;
  const path = translation === undefined ? context.req.path : CHAT_PATH;
  const endpoint = endpointOf(path);
  const { name } = endpointOf(context.req.path);
  const query = queryIn(context.req.url);
  const asked = rename === undefined ? { ...given, search: query } : renamed(given, query, rename);
  const { search } = asked;
  const stable = withStablePrefix(path, asked, model, dependencies);
  const { bytes, body } = withoutReservedFields(stable, context, dependencies);
  if (body !== undefined && READS_MESSAGES.has(endpoint.prompt))
    refuseOverlongConversation(body.messages, model);
  const { resources } = dependencies.models;
  const resource = resourceOf(path, body);
  const salt = usesCache(path, method) ? context.var.cacheSalt : undefined;
  const media = await mediaOf(path, { ...given, body }, model, salt);
  const prompt = await readPrompt(path, body, media, found);
  const expected = { promptTokens: prompt.tokens.length, completionTokens: expectedAnswer(body) };
  const meta = beginRequest(context, preferenceFields(body), model, name, expected, dependencies);
  if (fallbackFor !== undefined) meta.headers["x-stator-model"] = encodeHeaderValue(model.name);
  const { requestId, preferences } = meta;
  const own = ownFieldsOf(path, body, { salt, lora: adapter, media: media?.ids });
  requireSaltable(model, own);
  const job: WireJob = {
    requestId,
    model,
    modelName: modelOfJson(body) ?? rename ?? given.form?.name ?? context.req.query("model"),
    prompt,
    salt: routingSalt(adapter, body, salt && namespaceFor(model, salt, requestId)),
    preferences,
    method,
    path: path + search,
    headers: forwardedHeaders(context, {
      requestId,
      via: dependencies.via,
      hidesKeys: dependencies.access.keys !== undefined,
      isTranslated: translation !== undefined,
    }),
    ...(salt !== undefined && { isFit: (engine: EngineTarget) => isSaltable(engine, own) }),
    bodyFor: bodiesFor(bytes, own, model.members()),
    media: given.strings,
    encodable: media === undefined ? [] : placedMedia(media.encodable, prompt),
    mediaCount: media?.ids.length ?? 0,
    json: body,
    isDividable: isDividable(model, path, body),
    engine: await engineFor(resource, found, dependencies.models),
    onResource:
      endpoint.createsResources && method === "POST"
        ? (id, engine) => resources.remember(id, engine)
        : undefined,
    longestAnswer: endpoint.longestAnswer,
    isRepeatable: endpoint.isRepeatable(method, body),
    hasFallback: hasOthers,
    events: endpoint.events,
    continuation: continuationIn(endpoint, body),
    choices: body === undefined ? 1 : choicesOf(body),
  };
  const promptTokens = prompt.tokens.length;
  const translated = translation && {
    ...translation,
    format: translation.format(promptTokens),
    promptTokens,
  };
  const rescue = path === CHAT_PATH ? rescueFor(dependencies, model, body) : undefined;
  return send(context, dependencies, job, meta, { translation: translated, rescue });
}

/** The request without Claude Code's billing header, or a warning that it spoils the engines' caches. */
function withStablePrefix<Asked extends Pick<EngineRequest, "bytes" | "body">>(
  path: string,
  asked: Asked,
  model: EngineSide,
  { stabilisesPrefix, warnings }: GatewayDependencies,
): Asked {
  const field = asked.body && stableFieldOf(path, asked.body);
  if (field === undefined) return asked;
  if (stabilisesPrefix) return withStableField(asked, field);
  // vLLM removes it from Messages itself.
  if (field.name === "messages" || model.members().some(({ engine }) => engine.adapter?.kind !== "vllm"))
    warnings.once(
      `billing header ${model.name}`,
      "Claude Code's billing header, in front of each prompt, keeps engines from finding prompts in their caches; --stabilise-prefix removes it",
      { model: model.name },
    );
  return asked;
}

/** The request without a client's own parameters for the transfer of KV blocks. */
function withoutReservedFields(
  { bytes, body }: Pick<EngineRequest, "bytes" | "body">,
  context: Context<GatewayEnv>,
  { warnings }: GatewayDependencies,
): Pick<EngineRequest, "bytes" | "body"> {
  const left = removeReservedFields({ bytes, body }, context.get("key")?.models !== undefined);
  if (left === undefined) return { bytes, body };
  warnings.warn(
    "transfer fields",
    "removed a client's fields that only gateways may set: for KV transfers, or for adapters outside its key's scope",
    {
      request: context.var.requestId,
      fields: left.removed.join(", "),
    },
  );
  return left;
}

/** Whether one of the model's prefill engines, if it has any, can compute the request's prompt. */
function isDividable(model: EngineSide, path: string, body: PromptBody | undefined): boolean {
  if (body === undefined) return false;
  const prefill = model.members().find(isPrefillWorker)?.engine.adapter?.disaggregation;
  return prefill !== undefined && prefill.obstacleOf({ path, body }) === undefined;
}

/** The request's prompt as the token ids by which its engines' caches are compared. */
export async function promptOf(
  context: Context<GatewayEnv>,
  request: EngineRequest,
  model: Model,
): Promise<Prompt> {
  const { path } = context.req;
  const media = await mediaOf(path, request, model.engines, context.var.cacheSalt);
  return readPrompt(path, request.body, media, model);
}

async function readPrompt(
  path: string,
  body: PromptBody | undefined,
  media: IdentifiedMedia | undefined,
  { engines, workers }: Model,
): Promise<Prompt> {
  if (body === undefined) return NO_PROMPT;
  // If the model has workers too, all prompts are compared by the workers' tokenizer.
  const own = hasManyMessages(body) ? undefined : await (workers?.prompts ?? engines.prompts);
  return (own ?? textReader).read(endpointOf(path).prompt, media?.body ?? body, media?.prompt);
}

/** By what the model's engines know the request's media; undefined without media. */
async function mediaOf(
  path: string,
  { body, media }: EngineRequest,
  engines: EngineSide,
  salt: string | undefined,
): Promise<IdentifiedMedia | undefined> {
  if (body === undefined || media === undefined || media.size === 0) return undefined;
  return identifyMedia(body, media, { path, salt, vllmModel: vllmModelOf(engines) });
}

const READS_MESSAGES = new Set<PromptKind>(["chat", "messages"]);

const NO_PROMPT = exactPrompt(new Uint32Array(0));

/** The query, with its question mark. Not parsed as a URL, because the client's Host header may make it invalid. */
const queryIn = (url: string) => /\?[^#]*/.exec(url)?.[0] ?? "";

/** The request with another model name in its body or its query. */
function renamed({ bytes, body, form }: EngineRequest, search: string, model: string) {
  if (bytes !== undefined && form !== undefined)
    return { bytes: renameInForm(bytes, form, model), body, search };
  if (bytes !== undefined && modelOfJson(body) !== undefined)
    return { bytes: renameInJson(bytes, model), body: { ...body, model }, search };
  return { bytes, body, search: renameInQuery(search, model) };
}

/** How the answer to a chat is read; undefined if it passes as it is. */
function rescueFor(
  { rescue }: GatewayDependencies,
  model: EngineSide,
  body: PromptBody | undefined,
): AnswerFormats | undefined {
  if (body === undefined || (rescue.toolParser === NO_PARSER && rescue.reasoningParser === NO_PARSER))
    return undefined;
  return formatsFor(body, rescueFormats(rescue, model));
}

function continuationIn({ events }: Endpoint, body: PromptBody | undefined): WireJob["continuation"] {
  if (body === undefined || (events !== "chat" && events !== "completions")) return undefined;
  return continuationOf(events, body);
}
