/**
 * The messages that answer a `generate` call. Layout, integers and floats little-endian:
 *
 *     u8 flags, u16 token count,
 *     for each token: u32 id, and if flag `logprobs` is set: f32 log probability, u8 n, n × (u32 id, f32),
 *     flag `cached`: u32 prompt tokens found in the prefix cache,
 *     flag `finish`: u8 reason,
 *     flag `stopToken`: u32 id of the token that ended the answer (it is not among the tokens),
 *     flag `transfer`: u8 outcome, u32 microseconds, f64 bytes of the KV that the request named as its source,
 *     flag `media`: u32 prompt tokens that the request's media became.
 *
 * A typical message is one token: 7 bytes.
 */
export type FinishReason = "stop" | "length";

/**
 * How the transfer of a request's KV (`kvSource`) ended. The order is part of the wire format.
 *
 * - `transferred`: the KV was read and used. After any other outcome, the worker computed the prompt itself.
 * - `format`: the engine cannot use KV of that format, or not of these tokens.
 * - `unreachable`: there is no way to the prefill worker's memory.
 * - `refused`: the prefill worker, or a description that makes no sense, refused the read.
 * - `expired`: the KV was freed before or while it was read.
 * - `stalled`: it made no progress, or took too long.
 * - `failed`: anything else.
 * - `unsupported`: this worker cannot transfer KV at all.
 */
export const transferOutcomes = [
  "transferred",
  "format",
  "unreachable",
  "refused",
  "expired",
  "stalled",
  "failed",
  "unsupported",
] as const;

export type TransferOutcome = (typeof transferOutcomes)[number];

/** What became of a request's `kvSource`. */
export interface KvTransfer {
  readonly outcome: TransferOutcome;
  /** How long it took, whatever the outcome; at most 4,294,967,295. */
  readonly microseconds: number;
  /** How many bytes were read. */
  readonly bytes: number;
}

/** The alternatives to a token, most likely first, with their log probabilities. */
export type TopLogprobs = readonly (readonly [tokenId: number, logprob: number])[];

export const flag = {
  logprobs: 1,
  cached: 2,
  finish: 4,
  stopToken: 8,
  echo: 16,
  transfer: 32,
  media: 64,
} as const;
export const finishReasons: readonly FinishReason[] = ["stop", "length"];
/** Bytes before the first token. */
export const deltaHeadBytes = 3;
/** Most alternatives to one token. */
export const maxTop = 20;
/** Most tokens in one message. */
export const maxTokensInDelta = 0xffff;
