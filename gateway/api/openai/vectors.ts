import type { Context } from "hono";
import { decodeEmbeddings, encodeEmbedRequest, unaryCall } from "#runtime";
import type { GatewayEnv } from "../../access/env.ts";
import { contextLengthExceeded, toApiError } from "../../kernel/errors.ts";
import type { WorkerSide } from "../../models/model.ts";
import { notConnected, type SingleQuestion } from "../../requests/tokens/single-answer.ts";
import { exactPrompt } from "../../routing/prompt.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { FallbackError } from "../fallback-error.ts";
import { beginRequest, type RequestMeta } from "./request.ts";
import { askWorker } from "./single-answer.ts";

/** A text to turn into a vector. */
export interface VectorInput {
  readonly tokens: Uint32Array;
  /** The field of the request that has the text, for errors. */
  readonly param: string;
}

/** The usage in the answer of a request without generated tokens. */
export interface VectorUsage {
  readonly prompt_tokens: number;
  readonly total_tokens: number;
}

/** A request that is answered from its texts' vectors. */
export interface VectorRequest {
  /** The endpoint's name in metrics. */
  readonly endpoint: string;
  readonly model: WorkerSide;
  /** The body's routing preferences. */
  readonly body: Parameters<typeof beginRequest>[1];
  readonly inputs: readonly VectorInput[];
  /** Whether another model may answer if this one cannot. */
  readonly hasOthers: boolean;
  /** The answer's body. @param vectors one for each input, in their order */
  answer(vectors: readonly Float32Array[], usage: VectorUsage): object;
}

/**
 * Has one of the model's workers turn the texts into vectors, and answers from them.
 * @throws ApiError 400 for a text that is longer than the model's context
 * @throws FallbackError if another model should answer instead
 */
export async function answerFromVectors(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  asked: VectorRequest,
): Promise<Response> {
  const { endpoint, model, body, inputs } = asked;
  for (const input of inputs) refuseTooLong(input, model);
  const promptTokens = inputs.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const use = { promptTokens, completionTokens: 0 };
  const request = beginRequest(context, body, model, endpoint, use, dependencies);
  const { signal } = context.req.raw;
  let vectors: Float32Array[] | undefined;
  try {
    vectors = await embed(asked, request, signal, dependencies);
    const answer = asked.answer(vectors, { prompt_tokens: promptTokens, total_tokens: promptTokens });
    request.onSettled(200, use);
    return context.json(answer, 200, request.headers);
  } catch (error) {
    if (error instanceof FallbackError) request.onFallback();
    // The tokens of work that was done count, even if it turns out that there is no answer.
    else request.onSettled(signal.aborted ? 499 : toApiError(error).status, vectors && use);
    throw error;
  }
}

function embed(
  { model, inputs, hasOthers }: VectorRequest,
  { requestId, preferences }: RequestMeta,
  signal: AbortSignal,
  dependencies: GatewayDependencies,
): Promise<Float32Array[]> {
  const question: SingleQuestion<Float32Array[]> = {
    ...{ requestId, model, preferences, isRepeatable: true, hasFallback: hasOthers },
    prompt: exactPrompt(inputs[0]!.tokens),
    async ask({ worker: { client } }, call) {
      if (client === undefined) throw notConnected();
      const payload = encodeEmbedRequest(inputs.map(({ tokens }) => tokens));
      return decodeEmbeddings(await unaryCall(client, "embed", payload, call));
    },
    onAnswered: (life) => life.onPiece(false),
  };
  return askWorker(question, dependencies, signal);
}

function refuseTooLong({ tokens, param }: VectorInput, { card: { name, contextLength } }: WorkerSide): void {
  if (tokens.length <= contextLength) return;
  throw contextLengthExceeded(
    `The model '${name}' has a context of ${contextLength} tokens, but the input has ${tokens.length}. Shorten it.`,
    param,
  );
}
