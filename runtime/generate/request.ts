import { decode, encode } from "@msgpack/msgpack";
import { z } from "zod";
import { PlaneError } from "../request-plane/types.ts";
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
});

/** One call of a worker's `generate` endpoint. */
export type GenerateRequest = z.infer<typeof generateRequestSchema>;
export type Sampling = z.infer<typeof samplingSchema>;

/** The request as bytes: msgpack, with the token ids as one byte string (little-endian u32). */
export function encodeGenerateRequest(request: GenerateRequest): Uint8Array {
  return encode({ ...request, tokens: tokensToBytes(request.tokens) }, { ignoreUndefined: true });
}

/**
 * Decodes the output of `encodeGenerateRequest`. The result owns its memory. Unknown fields are dropped.
 *
 * @throws PlaneError `invalid_request` if the bytes are not a valid request
 */
export function decodeGenerateRequest(payload: Uint8Array): GenerateRequest {
  let fields: unknown;
  try {
    fields = decode(payload);
  } catch (cause) {
    throw new PlaneError("invalid_request", "The generate request is not valid msgpack.", { cause });
  }
  if (typeof fields !== "object" || fields === null || !("tokens" in fields)) {
    throw new PlaneError("invalid_request", "The generate request has no tokens.");
  }
  if (!(fields.tokens instanceof Uint8Array)) {
    throw new PlaneError("invalid_request", "The generate request's tokens are not a byte string.");
  }
  const parsed = generateRequestSchema.safeParse({ ...fields, tokens: bytesToTokens(fields.tokens) });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.join(".") ?? "";
  throw new PlaneError("invalid_request", `The generate request's ${where} is invalid: ${issue?.message}.`);
}
