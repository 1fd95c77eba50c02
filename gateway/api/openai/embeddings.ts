import type { Context } from "hono";
import { decodeEmbeddings, encodeEmbedRequest, PlaneError } from "#runtime";
import type { GatewayEnv } from "../../access/env.ts";
import { contextLengthExceeded, invalidRequest, noWorkerReady, toApiError } from "../../kernel/errors.ts";
import { unaryCall } from "../../kernel/unary-call.ts";
import { callError, timeLeft } from "../../models/members/call-error.ts";
import type { ServedModel } from "../../models/served-model.ts";
import { admitted } from "../../routing/queue/admitted.ts";
import type { RouteOutcome } from "../../routing/route.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { readPrompts } from "./prompts.ts";
import { beginRequest, type RequestMeta, requireApi } from "./request.ts";
import { embeddingRequest } from "./schemas.ts";
import { validate } from "./validate.ts";

/** `POST /v1/embeddings` */
export async function embeddings(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  raw: unknown,
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
    const vectors = await embed(model, inputs, request, context.req.raw.signal, dependencies);
    onSettled(200, expected);
    const data = vectors.map((vector, index) => ({
      object: "embedding",
      index,
      embedding: body.encoding_format === "base64" ? toBase64(vector) : Array.from(vector),
    }));
    const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens };
    return context.json({ object: "list", data, model: model.card.name, usage }, 200, headers);
  } catch (error) {
    onSettled(context.req.raw.signal.aborted ? 499 : toApiError(error).status);
    throw error;
  }
}

async function embed(
  model: ServedModel,
  inputs: Uint32Array[],
  { requestId, preferences }: RequestMeta,
  signal: AbortSignal,
  { requestOptions: { totalMs: timeoutMs } }: GatewayDependencies,
): Promise<Float32Array[]> {
  const bounds = { model: model.card.name, timeoutMs, deadlineAt: preferences.deadlineAt };
  const request = { prompt: inputs[0]!, requestId, preferences, excluded: [] };
  const route = await admitted(model.admission, request, signal);
  const boundTo = () => model.admission.boundTo(request);
  let outcome: RouteOutcome = "failed";
  try {
    const { client } = route.worker;
    if (client === undefined) throw noWorkerReady(model.card.name, boundTo());
    const call = { deadlineMs: timeLeft(bounds), signal };
    const vectors = decodeEmbeddings(await unaryCall(client, "embed", encodeEmbedRequest(inputs), call));
    outcome = "finished";
    return vectors;
  } catch (error) {
    if (signal.aborted) outcome = "cancelled";
    throw error instanceof PlaneError ? callError(error, bounds, boundTo()) : error;
  } finally {
    route.free(outcome);
  }
}

function tooLongError(model: ServedModel, inputs: readonly Uint32Array[], index: number) {
  const { name, contextLength } = model.card;
  const param = inputs.length === 1 ? "input" : `input[${index}]`;
  return contextLengthExceeded(
    `The model '${name}' has a context of ${contextLength} tokens, but the input has ${inputs[index]!.length}. Shorten it.`,
    param,
  );
}

/** Little-endian f32, as OpenAI's SDKs ask for by default. */
function toBase64(vector: Float32Array): string {
  let text = "";
  for (const byte of new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength))
    text += String.fromCharCode(byte);
  return btoa(text);
}
