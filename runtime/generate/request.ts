import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { z } from "zod";
import {
  GenerateRequestSchema,
  LogitBiasSchema,
  type Sampling as SamplingMessage,
  SamplingSchema,
} from "#proto";
import { appendBytes } from "../append-bytes.ts";
import { PlaneError } from "../request-plane/types.ts";
import { decodeKvSource, encodeKvSource, kvSourceSchema } from "./kv-source.ts";
import { bytesToTokens, tokensToBytes } from "./tokens.ts";

const tokenId = z.number().int().min(0).max(0xffffffff);

/** How the next token is chosen. Every field is set: the gateway fills in the defaults. */
const samplingSchema = z.object({
  /** 0 always chooses the most likely token. */
  temperature: z.number().min(0),
  /** 1 considers all tokens. */
  topP: z.number().gt(0).max(1),
  /** 0 considers all tokens. */
  topK: z.number().int().min(0),
  /** Excludes tokens less likely than this share of the most likely one; 0 excludes none. */
  minP: z.number().min(0).max(1),
  frequencyPenalty: z.number(),
  presencePenalty: z.number(),
  /** 1 has no effect. */
  repetitionPenalty: z.number().gt(0),
  seed: z.number().int().optional(),
  /** Added to the logits of single tokens: [token id, bias]. */
  logitBias: z.array(z.tuple([tokenId, z.number()])),
});

/** What an answer may consist of. */
const grammarSchema = z.object({
  /** In GBNF, the notation of llama.cpp. Its rule `root` is the whole answer, or what follows one of `after`. */
  gbnf: z.string().min(1),
  /** The grammar applies once the answer has one of these texts; if there are none, from the beginning. */
  after: z.array(z.string().min(1)),
});

/** The kinds of media that prompts can have. */
export const mediaKinds = ["image", "audio", "video"] as const;

/** A medium in a prompt, whose tokens have nothing in its place. */
const promptMediumSchema = z.object({
  kind: z.enum(mediaKinds),
  /** Its media type by its content: `image/png`. */
  type: z.string().min(1),
  /** How many of the prompt's tokens precede it. */
  position: z.number().int().min(0),
  /** The file, as the client sent it. */
  data: z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length > 0),
  /** Where what an encode worker has made of it can be read; absent: the worker encodes the medium itself. */
  features: kvSourceSchema.optional(),
});

const generateRequestSchema = z.object({
  requestId: z.string(),
  model: z.string(),
  /** The prompt. */
  tokens: z.custom<Uint32Array>((value) => value instanceof Uint32Array),
  /** Most tokens to generate. */
  maxTokens: z.number().int().min(0),
  sampling: samplingSchema,
  /** Whether to ignore the model's own end tokens. */
  ignoreEos: z.boolean(),
  /** Ids that end the answer, besides the model's own. */
  stopTokenIds: z.array(tokenId),
  /** Returns log probabilities, with this many of the most likely tokens (0 to 20); absent: none. */
  logprobs: z.number().int().min(0).max(20).optional(),
  /** Also returns the prompt's log probabilities, in echo messages before the answer. */
  echoLogprobs: z.boolean().optional(),
  /** The data-parallel rank that answers; absent: the engine chooses the least loaded one. */
  dataParallelRank: z.number().int().min(0).optional(),
  /** Where the KV of the prompt's first tokens can be read; absent: the worker computes it. */
  kvSource: kvSourceSchema.optional(),
  /** The answer keeps to it; absent: any answer. */
  grammar: grammarSchema.optional(),
  /** How many of the prompt's last tokens are the beginning of the answer, which the grammar covers; absent: none. */
  answered: z.number().int().min(0).optional(),
  /** The LoRA adapter that answers; absent: the model itself. */
  loraName: z.string().min(1).optional(),
  /** Requests use cached KV only of requests with the same salt; absent: of those without one. */
  cacheSalt: z.string().min(1).optional(),
  /** How many of the prompt's first tokens may be cached for all salts; absent: none. */
  sharedTokens: z.number().int().min(0).optional(),
  /** Media in the prompt, in its order; absent: none. Their data are views of the request's bytes. */
  media: z.array(promptMediumSchema).min(1).optional(),
});

/** One call of a worker's `generate` endpoint. */
export type GenerateRequest = z.infer<typeof generateRequestSchema>;
export type PromptMedium = z.infer<typeof promptMediumSchema>;
export type Grammar = z.infer<typeof grammarSchema>;
export type Sampling = z.infer<typeof samplingSchema>;

/** The request as bytes: the protobuf message `stator.v1.GenerateRequest`. */
export function encodeGenerateRequest({
  tokens,
  sampling,
  kvSource,
  media = [],
  ...request
}: GenerateRequest): Uint8Array {
  const message = create(GenerateRequestSchema, {
    ...request,
    media: media.map(({ features, ...medium }) => ({
      ...medium,
      ...(features && { features: encodeKvSource(features) }),
    })),
    maxTokens: Math.min(request.maxTokens, 0xffffffff),
    sampling: encodeSampling(sampling),
    stopTokenIds: tokensToBytes(Uint32Array.from(request.stopTokenIds)),
    ...(kvSource && { kvSource: encodeKvSource(kvSource) }),
  });
  const { number } = GenerateRequestSchema.field.tokenIds;
  return appendBytes(toBinary(GenerateRequestSchema, message), number, tokensToBytes(tokens));
}

/**
 * Decodes the output of `encodeGenerateRequest`. The result owns its memory, except that of media. Unknown fields are
 * dropped, and absent ones have their defaults.
 *
 * @throws PlaneError `invalid_request` if the bytes are not a valid request
 */
export function decodeGenerateRequest(payload: Uint8Array): GenerateRequest {
  const { tokenIds, sampling, stopTokenIds, kvSource, media, ...request } = decodeMessage(payload);
  if (tokenIds === undefined) throw new PlaneError("invalid_request", "The generate request has no tokens.");
  const parsed = generateRequestSchema.safeParse({
    ...request,
    tokens: bytesToTokens(tokenIds),
    sampling: decodeSampling(sampling ?? create(SamplingSchema)),
    stopTokenIds: Array.from(bytesToTokens(stopTokenIds)),
    ...(kvSource && { kvSource: decodeKvSource(kvSource) }),
    ...(media.length > 0 && {
      media: media.map(({ features, ...medium }) => ({
        ...medium,
        ...(features && { features: decodeKvSource(features) }),
      })),
    }),
  });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.join(".") ?? "";
  throw new PlaneError("invalid_request", `The generate request's ${where} is invalid: ${issue?.message}.`);
}

function decodeMessage(payload: Uint8Array) {
  try {
    return fromBinary(GenerateRequestSchema, payload);
  } catch (cause) {
    throw new PlaneError("invalid_request", "The generate request is not a valid protobuf message.", {
      cause,
    });
  }
}

function encodeSampling({ seed, logitBias, topK, ...sampling }: Sampling): SamplingMessage {
  const message = create(SamplingSchema, { ...sampling, topK: Math.min(topK, 0xffffffff) });
  if (seed !== undefined) message.seed = BigInt(seed);
  if (logitBias.length > 0)
    message.logitBias = create(LogitBiasSchema, {
      tokenIds: tokensToBytes(Uint32Array.from(logitBias, ([id]) => id)),
      biases: logitBias.map(([, bias]) => bias),
    });
  return message;
}

/** A `Sampling` that has yet to be checked. */
function decodeSampling({ seed, logitBias, ...sampling }: SamplingMessage) {
  const biased = Array.from(bytesToTokens(logitBias?.tokenIds ?? new Uint8Array(0)));
  return {
    ...sampling,
    temperature: sampling.temperature ?? 1,
    topP: sampling.topP ?? 1,
    repetitionPenalty: sampling.repetitionPenalty ?? 1,
    seed: seed === undefined ? undefined : Number(seed),
    logitBias: biased.map((id, index) => [id, logitBias?.biases[index]]),
  };
}
