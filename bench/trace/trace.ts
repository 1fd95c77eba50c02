import { z } from "zod";
import { UsageError } from "../command-line.ts";
import { traceLines } from "../trace-file.ts";

/** One request of a trace: when it came, how long it is, and what its prompt has in common with others'. */
export interface TraceRequest {
  /** Milliseconds since the trace's beginning. */
  arrivalMs: number;
  promptTokens: number;
  outputTokens: number;
  /** One id for each 512 tokens of the prompt, the same where all tokens up to there are the same. */
  prefixIds: readonly number[];
}

/** Tokens that an id of the trace stands for. */
export const TOKENS_PER_ID = 512;

const line = z.object({
  timestamp: z.number(),
  input_length: z.number().int().positive(),
  output_length: z.number().int().positive(),
  hash_ids: z.array(z.number().int().nonnegative()),
});

/**
 * Reads a trace in Mooncake's format.
 * @throws UsageError with the place of a line that is not a request
 */
export function readTrace(path: string): TraceRequest[] {
  return traceLines(path).map(({ value, place }) => {
    const entry = line.safeParse(value);
    if (!entry.success) throw new UsageError(`${place}: this is not a request of a trace.`);
    const { timestamp, input_length, output_length, hash_ids } = entry.data;
    return {
      arrivalMs: timestamp,
      promptTokens: input_length,
      outputTokens: output_length,
      prefixIds: hash_ids,
    };
  });
}

/**
 * `times` traces at once, as from so many independent groups of users: each with ids of its own, and shifted a
 * little, so that they do not beat in step.
 */
export function multiply(trace: readonly TraceRequest[], times: number): TraceRequest[] {
  const ids = 1 + trace.reduce((highest, { prefixIds }) => Math.max(highest, ...prefixIds), 0);
  const copies = Array.from({ length: times }, (_, copy) =>
    trace.map((request) => ({
      ...request,
      arrivalMs: request.arrivalMs + (copy * 997) / times,
      prefixIds: request.prefixIds.map((id) => id + copy * ids),
    })),
  );
  return copies.flat().sort((a, b) => a.arrivalMs - b.arrivalMs);
}
