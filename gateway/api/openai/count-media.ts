import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import type { WorkerSide } from "../../models/model.ts";
import { countCall } from "../../requests/tokens/count-call.ts";
import { mediaError } from "../../requests/tokens/media-error.ts";
import { notConnected, type SingleQuestion } from "../../requests/tokens/single-answer.ts";
import type { RoutePreferences } from "../../routing/preferences.ts";
import { inexactPrompt } from "../../routing/prompt.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { identified, type OwnPromptMedia } from "./own-media.ts";
import { beginRequest } from "./request.ts";
import { requestSalt } from "./request-salt.ts";
import { samplingOf } from "./sampling.ts";
import { askWorker } from "./single-answer.ts";

/** A prompt as workers would get it. */
interface ReadPrompt {
  readonly tokens: Uint32Array;
  /** Set if it has media. */
  readonly media: OwnPromptMedia | undefined;
}

/**
 * Answers with the length of a prompt in tokens, those of its media included. A prompt with media is a request of the
 * model's metrics, because a worker counts them.
 * @param endpoint its name in metrics
 * @param answer the answer's body
 */
export async function answerCount(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  model: WorkerSide,
  endpoint: string,
  { tokens, media }: ReadPrompt,
  answer: (count: number) => object,
): Promise<Response> {
  if (media === undefined) return Response.json(answer(tokens.length));
  const request = beginRequest(context, {}, model, endpoint, NO_TOKENS, dependencies);
  const count = await countMedia(context, dependencies, model, media, request.preferences);
  request.onSettled(200);
  return Response.json(answer(tokens.length + count), { headers: request.headers });
}

/** Nothing is computed, so no tokens count. */
const NO_TOKENS = { promptTokens: 0, completionTokens: 0 };

/**
 * Asks one of the model's workers how many tokens the media of a prompt become.
 * @throws ApiError 400 if the engine refuses them, or 503 if no worker can say
 */
export async function countMedia(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  model: WorkerSide,
  { tokens, media, param }: OwnPromptMedia,
  preferences: RoutePreferences,
): Promise<number> {
  const { requestId } = context.var;
  const salt = await requestSalt(context, dependencies, model, undefined, tokens);
  const items = identified(media, salt?.namespace).map(({ id: _, path: __, ...medium }) => medium);
  const cacheSalt = salt?.namespace;
  const request = {
    ...{ requestId, model: model.card.name, tokens, media: items, sampling: samplingOf({}, model) },
    ...{ maxTokens: 0, ignoreEos: false, stopTokenIds: [], cacheSalt },
  };
  const question: SingleQuestion<number> = {
    ...{ requestId, model, preferences, prompt: UNCACHED, isRepeatable: true, hasFallback: false },
    // Workers of a model can be of several versions.
    suits: ({ instance: { card } }) =>
      items.every(({ kind }) => card.media?.includes(kind)) &&
      (cacheSalt === undefined || card.features.cacheSalt === true),
    async ask({ worker: { client, instance }, rank }, call) {
      if (client === undefined) throw notConnected();
      const dataParallelRank = instance.card.dataParallelSize > 1 ? rank : undefined;
      return countCall(client, { ...request, dataParallelRank }, call);
    },
    errorOf: (error) => mediaError(error, { items: media, param }),
    onAnswered: (life) => life.onAnswered(),
  };
  return askWorker(question, dependencies, context.req.raw.signal);
}

/** What the router sees: a prompt that costs nothing, and of which no worker has a block. */
const UNCACHED = inexactPrompt(new Uint32Array(1));
