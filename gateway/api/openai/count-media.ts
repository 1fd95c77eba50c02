import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import { clientLeft } from "../../kernel/errors.ts";
import type { WorkerSide } from "../../models/model.ts";
import { MediaCountTransfer } from "../../requests/tokens/media-count-transfer.ts";
import type { RoutePreferences } from "../../routing/preferences.ts";
import { inexactPrompt } from "../../routing/prompt.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { identified, type OwnPromptMedia } from "./own-media.ts";
import { beginRequest } from "./request.ts";
import { requestSalt } from "./request-salt.ts";
import { samplingOf } from "./sampling.ts";

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
  { tokens, media }: OwnPromptMedia,
  preferences: RoutePreferences,
): Promise<number> {
  const { requestOptions: options, warnings, running } = dependencies;
  const { requestId } = context.var;
  const { signal } = context.req.raw;
  const salt = await requestSalt(context, dependencies, model, undefined, tokens);
  const job = {
    ...{ requestId, model, preferences, salt },
    prompt: UNCACHED,
    media: { tokens, items: identified(media, salt?.namespace) },
    sampling: samplingOf({}, model),
    isRepeatable: true,
    hasFallback: false,
  };
  return new Promise((resolve, reject) => {
    const output = { onCount: resolve, onError: reject };
    const { life } = new MediaCountTransfer(job, output, { options, warnings, running });
    signal.addEventListener("abort", () => {
      life.cancel();
      reject(clientLeft());
    });
    if (signal.aborted) reject(clientLeft());
    else life.start();
  });
}

/** What the router sees: a prompt that costs nothing, and of which no worker has a block. */
const UNCACHED = inexactPrompt(new Uint32Array(1));
