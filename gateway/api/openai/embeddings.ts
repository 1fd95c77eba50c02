import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import {
  type ApiError,
  clientLeft,
  contextLengthExceeded,
  invalidRequest,
  toApiError,
} from "../../kernel/errors.ts";
import type { WorkerSide } from "../../models/model.ts";
import { EmbeddingTransfer } from "../../requests/tokens/embedding-transfer.ts";
import { exactPrompt } from "../../routing/prompt.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { FallbackError } from "../fallback-error.ts";
import { readPrompts } from "./prompts.ts";
import { beginRequest, type RequestMeta, requireApi } from "./request.ts";
import { embeddingRequest } from "./schemas.ts";
import { validate } from "./validate.ts";

/** `POST /v1/embeddings` */
export async function embeddings(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  raw: unknown,
  hasOthers: boolean,
): Promise<Response> {
  const body = validate(embeddingRequest, raw);
  const model = dependencies.models.ofWorkers(body.model);
  requireApi(model, "embeddings");
  if (body.dimensions) {
    throw invalidRequest(
      "'dimensions' is not supported. Leave it out.",
      "dimensions",
      "unsupported_parameter",
    );
  }
  const inputs = (await readPrompts(body.input, model, "input")).map(({ tokens }) => tokens);
  const tooLong = inputs.findIndex((input) => input.length > model.card.contextLength);
  if (tooLong >= 0) throw tooLongError(model, inputs, tooLong);

  const promptTokens = inputs.reduce((sum, input) => sum + input.length, 0);
  const expected = { promptTokens, completionTokens: 0 };
  const request = beginRequest(context, body, model, "embeddings", expected, dependencies);
  const { headers, onSettled } = request;
  try {
    const { signal } = context.req.raw;
    const vectors = await embed({ model, inputs, request, hasOthers }, signal, dependencies);
    onSettled(200, expected);
    const data = vectors.map((vector, index) => ({
      object: "embedding",
      index,
      embedding: body.encoding_format === "base64" ? toBase64(vector) : Array.from(vector),
    }));
    const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens };
    return context.json({ object: "list", data, model: model.card.name, usage }, 200, headers);
  } catch (error) {
    if (error instanceof FallbackError) request.onFallback();
    else onSettled(context.req.raw.signal.aborted ? 499 : toApiError(error).status);
    throw error;
  }
}

interface Embedding {
  readonly model: WorkerSide;
  readonly inputs: readonly Uint32Array[];
  readonly request: RequestMeta;
  readonly hasOthers: boolean;
}

function embed(
  { model, inputs, request: { requestId, preferences }, hasOthers }: Embedding,
  signal: AbortSignal,
  { requestOptions: options, warnings, running }: GatewayDependencies,
): Promise<Float32Array[]> {
  return new Promise((resolve, reject) => {
    const job = {
      requestId,
      model,
      prompt: exactPrompt(inputs[0]!),
      inputs,
      preferences,
      isRepeatable: true,
      hasFallback: hasOthers,
    };
    const output = {
      onVectors: resolve,
      onError: reject,
      onFallback: (error: ApiError) => reject(new FallbackError(error)),
    };
    const { life } = new EmbeddingTransfer(job, output, { options, warnings, running });
    signal.addEventListener("abort", () => {
      life.cancel();
      reject(clientLeft());
    });
    if (signal.aborted) reject(clientLeft());
    else life.start();
  });
}

function tooLongError(model: WorkerSide, inputs: readonly Uint32Array[], index: number) {
  const { name, contextLength } = model.card;
  const param = inputs.length === 1 ? "input" : `input[${index}]`;
  return contextLengthExceeded(
    `The model '${name}' has a context of ${contextLength} tokens, but the input has ${inputs[index]!.length}. Shorten it.`,
    param,
  );
}

/** Little-endian f32, the default of OpenAI's SDKs. */
function toBase64(vector: Float32Array): string {
  let text = "";
  for (const byte of new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength))
    text += String.fromCharCode(byte);
  return btoa(text);
}
