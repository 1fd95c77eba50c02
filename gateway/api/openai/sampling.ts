import type { Sampling } from "#runtime";
import { invalidRequest } from "../../kernel/errors.ts";
import type { WorkerSide } from "../../models/model.ts";
import type { GenerationFields } from "./schemas.ts";

type SamplingFields = Pick<
  GenerationFields,
  | "temperature"
  | "top_p"
  | "top_k"
  | "min_p"
  | "frequency_penalty"
  | "presence_penalty"
  | "repetition_penalty"
  | "seed"
  | "logit_bias"
>;

/** A request's sampling parameters, with OpenAI's defaults: temperature 1, everything else off. */
export function samplingOf(body: SamplingFields, model: WorkerSide): Sampling {
  return {
    temperature: body.temperature ?? 1,
    topP: body.top_p ?? 1,
    topK: Math.max(0, body.top_k ?? 0),
    minP: body.min_p ?? 0,
    frequencyPenalty: body.frequency_penalty ?? 0,
    presencePenalty: body.presence_penalty ?? 0,
    repetitionPenalty: body.repetition_penalty ?? 1,
    logitBias: logitBiasOf(body.logit_bias, model),
    ...(body.seed !== undefined && body.seed !== null && { seed: seedOf(body.seed) }),
  };
}

function logitBiasOf(bias: SamplingFields["logit_bias"], model: WorkerSide): Sampling["logitBias"] {
  const entries = Object.entries(bias ?? {}).map(([id, value]): [number, number] => [Number(id), value]);
  if (entries.length === 0) return [];
  const { features, vocabularySize, name } = model.card;
  if (!features.logitBias) {
    throw invalidRequest(
      `The model '${name}' does not support logit_bias.`,
      "logit_bias",
      "unsupported_parameter",
    );
  }
  const unknown = entries.find(([id]) => id >= vocabularySize);
  if (unknown !== undefined) throw tokenOutOfRange(unknown[0], vocabularySize, `logit_bias.${unknown[0]}`);
  return entries;
}

/** Folds seeds beyond the safe integers into 32 bits, so that all their bits still matter. */
function seedOf(seed: number): number {
  if (Number.isSafeInteger(seed)) return seed;
  const bits = BigInt(seed);
  return Number(BigInt.asUintN(32, bits ^ (bits >> 32n)));
}

/** The sampling of answer `index` of a prompt: with a seed, each answer gets its own. */
export function forChoice(sampling: Sampling, index: number): Sampling {
  return sampling.seed === undefined || index === 0 ? sampling : { ...sampling, seed: sampling.seed + index };
}

export const tokenOutOfRange = (id: number, vocabularySize: number, param: string) =>
  invalidRequest(
    `The token id ${id} is not in the model's vocabulary: ids run from 0 to ${vocabularySize - 1}.`,
    param,
  );

/** @throws ApiError 400 if log probabilities are requested from a model that has none */
export function requireLogprobs(wanted: boolean, model: WorkerSide): void {
  if (!wanted || model.card.features.logprobs) return;
  throw invalidRequest(
    `The model '${model.card.name}' does not support logprobs.`,
    "logprobs",
    "unsupported_parameter",
  );
}

export const stopsOf = (stop: string | string[] | null | undefined): string[] =>
  typeof stop === "string" ? [stop] : (stop ?? []);
