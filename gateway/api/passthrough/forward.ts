import type { Context } from "hono";
import type { Salt } from "#router-wasm";
import { refuseDeepNesting } from "../../access/body.ts";
import type { GatewayEnv } from "../../access/env.ts";
import { type ApiError, toApiError } from "../../kernel/errors.ts";
import { encodeHeaderValue } from "../../kernel/header-values.ts";
import type { Model } from "../../models/model.ts";
import { hasManyMessages, refuseHopelessConversation } from "../../prompts/limits.ts";
import type { PromptBody, PromptKind } from "../../prompts/prompt-reader.ts";
import { textReader } from "../../prompts/text-reader.ts";
import type { Placement } from "../../requests/placement.ts";
import { choicesOf, continuationOf } from "../../requests/wire/continuation.ts";
import type { WireJob } from "../../requests/wire/job.ts";
import { WireTransfer } from "../../requests/wire/wire-transfer.ts";
import { exactPrompt, type Prompt } from "../../routing/prompt.ts";
import { contained } from "../../wire/contained.ts";
import type { HttpHead, WireReply } from "../../wire/types.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { type Endpoint, endpointOf, resourceOf } from "../endpoints.ts";
import { beginRequest, expectedAnswer, type RequestMeta } from "../openai/request.ts";
import { PassedOn } from "../passed-on.ts";
import { placementHeaders } from "../placement-headers.ts";
import type { Candidate } from "./candidates.ts";
import type { ModelInForm } from "./form.ts";
import { answerHeaders, forwardedHeaders } from "./headers.ts";
import { preferenceFields } from "./preference-fields.ts";
import { modelOfJson, renameInForm, renameInJson, renameInQuery } from "./rename.ts";

/** A request for attached engines. */
export interface EngineRequest {
  /** The body as it came; undefined where there is none. */
  readonly bytes: Uint8Array | undefined;
  /** The same where it is a JSON object. */
  readonly body: PromptBody | undefined;
  /** Where it names its model, where it is a form that does. */
  readonly form: ModelInForm | undefined;
}

/**
 * Passes the request on to the engine of a model that suits it best, and the engine's answer back as it is.
 * @param hasOthers whether another model may answer where this one cannot
 * @throws PassedOn where another model is to be asked
 */
export async function forward(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  given: EngineRequest,
  { model: found, adapter, rename, standsInFor }: Candidate,
  hasOthers: boolean,
): Promise<Response> {
  const model = found.engines;
  const { method, path } = context.req;
  const endpoint = endpointOf(path);
  const query = queryIn(context.req.url);
  const { bytes, body, search } =
    rename === undefined ? { ...given, search: query } : renamed(given, query, rename);
  if (body !== undefined && READS_MESSAGES.has(endpoint.prompt))
    refuseHopelessConversation(body.messages, model);
  const prompt = await promptOf(context, { body }, found);
  const expected = { promptTokens: prompt.tokens.length, completionTokens: expectedAnswer(body) };
  const meta = beginRequest(context, preferenceFields(body), model, endpoint.name, expected, dependencies);
  if (standsInFor !== undefined) meta.headers["x-stator-model"] = encodeHeaderValue(model.name);
  const { requestId, preferences } = meta;
  const { resources } = dependencies.models;
  const resource = resourceOf(path, body);
  const job: WireJob = {
    requestId,
    model,
    modelName: modelOfJson(body) ?? rename ?? given.form?.name ?? context.req.query("model"),
    prompt,
    salt: saltOf(adapter, body),
    preferences,
    method,
    path: path + search,
    headers: forwardedHeaders(context, {
      requestId,
      via: dependencies.via,
      hidesKeys: dependencies.access.keys !== undefined,
    }),
    body: bytes,
    engine: resource === undefined ? undefined : await resources.find(resource),
    onResource:
      endpoint.keeps && method === "POST" ? (id, engine) => resources.remember(id, engine) : undefined,
    longestAnswer: endpoint.longestAnswer,
    isRepeatable: endpoint.isRepeatable(method, body),
    hasFallback: hasOthers,
    events: endpoint.events,
    continuation: continuationIn(endpoint, body),
    choices: body === undefined ? 1 : choicesOf(body),
  };
  return run(context, dependencies, job, meta);
}

/** The request's prompt in the tokens by which its engines' caches are compared. */
export async function promptOf(
  { req: { path } }: Context<GatewayEnv>,
  { body }: Pick<EngineRequest, "body">,
  { engines, workers }: Model,
): Promise<Prompt> {
  if (body === undefined) return NO_PROMPT;
  // Where a model has workers too, theirs is the tokenizer that all prompts are compared by.
  const own = hasManyMessages(body) ? undefined : await (workers?.prompts ?? engines.prompts);
  return refuseDeepNesting(() => (own ?? textReader).read(endpointOf(path).prompt, body));
}

const READS_MESSAGES = new Set<PromptKind>(["chat", "messages"]);

const NO_PROMPT = exactPrompt(new Uint32Array(0));

/** From the question mark on. What a client has said that the host is, need not make an address. */
const queryIn = (url: string) => /\?[^#]*/.exec(url)?.[0] ?? "";

/** The request with another model's name in its body, or in its query. */
function renamed({ bytes, body, form }: EngineRequest, search: string, model: string) {
  if (bytes !== undefined && form !== undefined)
    return { bytes: renameInForm(bytes, form, model), body, search };
  if (bytes !== undefined && modelOfJson(body) !== undefined)
    return { bytes: renameInJson(bytes, model), body: { ...body, model }, search };
  return { bytes, body, search: renameInQuery(search, model) };
}

function run(
  context: Context<GatewayEnv>,
  { transport, requestOptions, log, warnings, running }: GatewayDependencies,
  job: WireJob,
  { explain, headers, onAnswered, onSettled, onPassedOn }: RequestMeta,
): Promise<Response> {
  const { signal } = context.req.raw;
  return new Promise((resolve, reject) => {
    let begun: WireReply | undefined;
    const abort = () => {
      request.cancel();
      resolve(new Response(null, { status: 499 }));
    };
    const output = {
      reply(head: HttpHead, placement: Placement) {
        signal.removeEventListener("abort", abort);
        const own = Object.entries(explain ? { ...headers, ...placementHeaders(placement) } : headers);
        const reply = transport.reply(context, { ...head, headers: answerHeaders(head.headers) }, own);
        begun = reply;
        resolve(reply.response);
        return reply;
      },
      onAnswered,
      onSettled(...outcome: Parameters<typeof onSettled>) {
        running.delete(request);
        onSettled(...outcome);
      },
      onFailure(error: Error) {
        signal.removeEventListener("abort", abort);
        reject(error);
      },
      onPassedOn(error: ApiError) {
        signal.removeEventListener("abort", abort);
        running.delete(request);
        onPassedOn();
        reject(new PassedOn(error));
      },
    };
    const onFault = (error: unknown) => {
      // Before the answer has begun, whoever answers the error logs it.
      if (begun !== undefined)
        log.error("an answer broke off by a fault of this gateway", { request: job.requestId, error });
      try {
        request.stop(toApiError(error));
      } catch {
        begun?.destroy();
      }
      reject(error);
    };
    const { life: request } = new WireTransfer(job, output, {
      transport: contained(transport, onFault),
      options: requestOptions,
      warnings,
    });
    running.add(request);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    else {
      try {
        request.start();
      } catch (error) {
        onFault(error);
      }
    }
  });
}

/** What keeps the request's blocks apart in the engine's cache: vLLM hashes both into them. */
function saltOf(adapter: string | undefined, body: PromptBody | undefined): Salt | undefined {
  const namespace = typeof body?.cache_salt === "string" ? body.cache_salt : undefined;
  return adapter === undefined && namespace === undefined ? undefined : { loraName: adapter, namespace };
}

function continuationIn({ events }: Endpoint, body: PromptBody | undefined): WireJob["continuation"] {
  if (body === undefined || (events !== "chat" && events !== "completions")) return undefined;
  return continuationOf(events, body);
}
