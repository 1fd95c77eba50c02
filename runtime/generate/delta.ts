/**
 * The messages that answer a `generate` call. Layout, integers and floats little-endian:
 *
 *     u8 flags, u16 token count,
 *     for each token: u32 id, and if flag `logprobs` is set: f32 log probability, u8 n, n × (u32 id, f32),
 *     flag `cached`: u32 prompt tokens found in the prefix cache,
 *     flag `finish`: u8 reason,
 *     flag `stopToken`: u32 id of the token that ended the answer (it is not among the tokens).
 *
 * A typical message is one token: 7 bytes.
 */
export type FinishReason = "stop" | "length";

/** The alternatives to a token, most likely first, with their log probabilities. */
export type TopLogprobs = readonly (readonly [tokenId: number, logprob: number])[];

export const flag = { logprobs: 1, cached: 2, finish: 4, stopToken: 8, echo: 16 } as const;
export const finishReasons: readonly FinishReason[] = ["stop", "length"];
/** Bytes before the first token. */
export const deltaHeadBytes = 3;
/** Most alternatives to one token. */
export const maxTop = 20;
/** Most tokens in one message. */
export const maxTokensInDelta = 0xffff;
