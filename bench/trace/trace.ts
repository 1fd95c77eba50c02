import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { z } from "zod";

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
 * Reads a trace in Mooncake's format (one JSON object a line), gzipped or not.
 * @throws Error with the number of a line that is not such an object
 */
export function readTrace(path: string): TraceRequest[] {
  const bytes = readFileSync(path);
  const text = (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString();
  return text
    .trim()
    .split("\n")
    .map((source, index) => {
      const entry = line.safeParse(parse(source));
      if (!entry.success) throw new Error(`${path}: line ${index + 1} is not a request of the trace.`);
      const { timestamp, input_length, output_length, hash_ids } = entry.data;
      return {
        arrivalMs: timestamp,
        promptTokens: input_length,
        outputTokens: output_length,
        prefixIds: hash_ids,
      };
    });
}

function parse(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    return undefined;
  }
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
