/** Coefficients of a step's time in milliseconds. */
export interface StepTiming {
  /** Reading the weights and launching the step. */
  baseMs: number;
  /** For each prompt token evaluated. */
  prefillTokenMs: number;
  /** For each prompt token and each token before it: attention. */
  prefillPairMs: number;
  /** For each token in the KV cache of a request that generates: reading it. */
  contextTokenMs: number;
}

/**
 * An 8-billion-parameter model in 16 bits (32 layers, hidden size 4,096, 8 KV heads of 128) on one H100 SXM, from
 * the card's data sheet (989 TFLOPS dense bf16, 3.35 TB/s) at half of its peak arithmetic and 80 % of its
 * bandwidth:
 * - weights, 16 GB: 6.0 ms;
 * - a prompt token, 2 × 8·10⁹ operations: 0.032 ms;
 * - a pair, 4 × 32 × 4,096 operations: 1.1·10⁻⁶ ms;
 * - a cached token, 2 × 32 × 8 × 128 × 2 bytes: 4.9·10⁻⁵ ms.
 */
export const H100_8B: StepTiming = {
  baseMs: 6,
  prefillTokenMs: 0.032,
  prefillPairMs: 1.1e-6,
  contextTokenMs: 4.9e-5,
};

/** The work of one step. */
export interface StepWork {
  prefillTokens: number;
  /** Sum over the prompt tokens of the tokens before each. */
  prefillPairs: number;
  /** Requests that generate a token. */
  decodes: number;
  /** Tokens in their KV caches. */
  contextTokens: number;
}

/** A step's duration in milliseconds; 0 if there is nothing to do. */
export function stepTime(timing: StepTiming, work: StepWork): number {
  if (work.prefillTokens === 0 && work.decodes === 0) return 0;
  return (
    timing.baseMs +
    timing.prefillTokenMs * work.prefillTokens +
    timing.prefillPairMs * work.prefillPairs +
    timing.contextTokenMs * work.contextTokens
  );
}
