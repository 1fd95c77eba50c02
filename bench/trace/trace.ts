import { z } from "zod";
import { UsageError } from "../command-line.ts";
import { traceLines } from "../trace-file.ts";

/** One request of a trace: its arrival time, its length, and the prefix it shares with others. */
export interface TraceRequest {
  /** Milliseconds since the start of the trace. */
  arrivalMs: number;
  promptTokens: number;
  outputTokens: number;
  /** One id per 512 tokens of the prompt; equal if all tokens up to there are equal. */
  prefixIds: readonly number[];
}

/** Tokens per id of the trace. */
export const TOKENS_PER_ID = 512;

const line = z.object({
  timestamp: z.number(),
  input_length: z.number().int().positive(),
  output_length: z.number().int().positive(),
  hash_ids: z.array(z.number().int().nonnegative()),
});

/**
 * Reads a trace in Mooncake's format.
 * @throws UsageError with the line number, if a line is not a request
 */
export function readTrace(path: string): TraceRequest[] {
  return traceLines(path).map(({ value, place }) => {
    const entry = line.safeParse(value);
    if (!entry.success) throw new UsageError(`${place}: not a request of a trace.`);
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
 * Concurrent copies of a trace, as from independent groups of users: each has its own ids and is slightly shifted, so
 * that they are not synchronised.
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
