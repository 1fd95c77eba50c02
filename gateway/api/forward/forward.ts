import type { Context } from "hono";
import type { Salt } from "#router-wasm";
import { checkMedia } from "../../access/media.ts";
import type { GatewayDependencies } from "../../dependencies.ts";
import type { HttpHead } from "../../dispatch/http/types.ts";
import type { GatewayEnv } from "../../env.ts";
import { obstacleOf } from "../../pipeline/forward/continuation.ts";
import { Forwarding } from "../../pipeline/forward/forwarding.ts";
import type { ForwardJob } from "../../pipeline/forward/job.ts";
import type { Placement } from "../../pipeline/job.ts";
import type { PromptBody } from "../../pipeline/preprocess/prompts/prompt-reader.ts";
import type { ForwardModel } from "../../pipeline/serving/forward-model.ts";
import { beginRequest, expectedAnswer, type RequestMeta } from "../openai/request.ts";
import { placementHeaders } from "../placement-headers.ts";
import { type Endpoint, endpointOf, resourceOf } from "./endpoints.ts";
import { answerHeaders, forwardedHeaders } from "./headers.ts";
import { preferenceFields } from "./preference-fields.ts";

/** A request for an attached engine. */
export interface ForwardTarget {
  readonly model: ForwardModel;
  /** The LoRA adapter that the request names as its model. */
  readonly adapter: string | undefined;
  /** The body as it came; undefined where there is none. */
  readonly bytes: Uint8Array | undefined;
  /** The same where it is a JSON object. */
  readonly body: PromptBody | undefined;
}

/** Passes the request on to the engine that suits it best, and the engine's answer back as it is. */
export async function forward(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  target: ForwardTarget,
): Promise<Response> {
  const { model, adapter, bytes, body } = target;
  const endpoint = endpointOf(context.req.path);
  checkMedia(body, dependencies.access.media);
  const fields = preferenceFields(body);
  const { method } = context.req;
  const { pathname, search } = new URL(context.req.url);
  const prompts = await model.prompts;
  const prompt = body === undefined ? NO_PROMPT : await prompts.read(endpoint.prompt, body);
  const expected = { promptTokens: prompt.length, completionTokens: expectedAnswer(body) };
  const meta = beginRequest(context, fields, model, endpoint.name, expected, dependencies);
  const { requestId, preferences } = meta;
  const { attached } = dependencies.models;
  const resource = resourceOf(pathname, body);
  const job: ForwardJob = {
    requestId,
    model,
    prompt,
    salt: saltOf(adapter, body),
    preferences,
    method,
    path: pathname + search,
    headers: forwardedHeaders(context, requestId, dependencies.access.keys !== undefined),
    body: bytes,
    engine: resource === undefined ? undefined : await attached.resources.find(resource),
    onResource:
      endpoint.keeps && method === "POST"
        ? (id, engine) => attached.resources.remember(id, engine)
        : undefined,
    longestAnswer: endpoint.longestAnswer,
    isRepeatable: endpoint.isRepeatable(method, body),
    continuation: continuationOf(endpoint, body),
  };
  return run(context, dependencies, job, meta);
}

const NO_PROMPT = new Uint32Array(0);

function run(
  context: Context<GatewayEnv>,
  { transport, forwarding, warnings }: GatewayDependencies,
  job: ForwardJob,
  { explain, headers, onSettled }: RequestMeta,
): Promise<Response> {
  const { signal } = context.req.raw;
  return new Promise((resolve, reject) => {
    const abort = () => {
      request.cancel();
      resolve(new Response(null, { status: 499 }));
    };
    const output = {
      reply(head: HttpHead, placement: Placement) {
        signal.removeEventListener("abort", abort);
        const own = Object.entries(explain ? { ...headers, ...placementHeaders(placement) } : headers);
        const reply = transport.reply(context, { ...head, headers: answerHeaders(head.headers) }, own);
        resolve(reply.response);
        return reply;
      },
      onSettled,
      onFailure(error: Error) {
        signal.removeEventListener("abort", abort);
        reject(error);
      },
    };
    const request = new Forwarding(job, output, { transport, options: forwarding, warnings });
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    else request.start();
  });
}

/** What keeps the request's blocks apart in the engine's cache: vLLM hashes both into them. */
function saltOf(adapter: string | undefined, body: PromptBody | undefined): Salt | undefined {
  const namespace = typeof body?.cache_salt === "string" ? body.cache_salt : undefined;
  return adapter === undefined && namespace === undefined ? undefined : { loraName: adapter, namespace };
}

function continuationOf({ continues }: Endpoint, body: PromptBody | undefined): ForwardJob["continuation"] {
  if (continues === undefined || body === undefined || obstacleOf(continues, body) !== undefined)
    return undefined;
  return { api: continues, body };
}
