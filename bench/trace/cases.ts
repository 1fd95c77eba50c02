import { H100_8B } from "#workers";
import type { TraceOptions } from "./options.ts";
import { routingOf } from "./rows.ts";
import type { Simulation } from "./simulation.ts";
import { multiply, readTrace, TOKENS_PER_ID, type TraceRequest } from "./trace.ts";

/** A mock worker: an 8-billion-parameter model on one H100 with a million tokens of KV memory. */
export const SHAPE = { blockSize: 64, totalBlocks: 16_384, maxSequences: 256, maxBatchedTokens: 8192 };

/** The part of the trace that is replayed at a number of workers. */
export interface Replay {
  workers: number;
  /** Concurrent copies of the trace. */
  copies: number;
  /** Length of the trace that is replayed, from its start. */
  minutes: number;
}

/** Beyond 64 workers, one copy of the trace per 64; beyond 256, only its start, to bound the duration. */
export function replayOf(workers: number, options: TraceOptions): Replay {
  return {
    workers,
    copies: options.copies ?? Math.max(1, Math.floor(workers / 64)),
    minutes: options.minutes ?? (workers > 256 ? 15 : Number.POSITIVE_INFINITY),
  };
}

export function requestsOf({ copies, minutes }: Replay, path: string): TraceRequest[] {
  const beginning = readTrace(path).filter(({ arrivalMs }) => arrivalMs < minutes * 60_000);
  return multiply(beginning, copies);
}

/** The simulation behind a row. */
export function simulationOf(
  row: string,
  trace: readonly TraceRequest[],
  workers: number,
  options: TraceOptions,
): Simulation {
  const {
    ttftSlaMs,
    itlSlaMs,
    predictionSeconds,
    overlapCredit,
    prefillLoadScale,
    recentPrefillWeight,
    recentPrefillSeconds,
  } = options;
  const routing = routingOf(row);
  if (routing === undefined) throw new Error(`Unknown row ${row}.`);
  const tried = {
    ...(overlapCredit !== undefined && { overlapCredit }),
    ...(prefillLoadScale !== undefined && { prefillLoadScale }),
    ...(recentPrefillWeight !== undefined && { recentPrefillWeight }),
    ...(recentPrefillSeconds !== undefined && { recentPrefillSeconds }),
  };
  const weights = routing.weights ?? tried;
  const common = { trace, ttftSlaMs, itlSlaMs, predictionSeconds, ...routing, weights };
  if (row !== "oracle")
    return { ...common, gateways: options.gateways, workers, shape: SHAPE, timing: H100_8B };
  return {
    ...common,
    workers: 1,
    shape: {
      blockSize: SHAPE.blockSize,
      totalBlocks: SHAPE.totalBlocks * workers,
      maxSequences: SHAPE.maxSequences * workers,
      maxBatchedTokens: SHAPE.maxBatchedTokens * workers,
    },
    timing: {
      baseMs: H100_8B.baseMs,
      prefillTokenMs: H100_8B.prefillTokenMs / workers,
      prefillPairMs: H100_8B.prefillPairMs / workers,
      contextTokenMs: H100_8B.contextTokenMs / workers,
    },
  };
}

/**
 * The minimum time to first token of each request on a single worker: with no other requests, and with everything
 * cached that came before, on any worker. In the order of the requests.
 */
export function leastTtftMs(trace: readonly TraceRequest[]): number[] {
  const { blockSize, maxBatchedTokens } = SHAPE;
  const seen = new Set<number>();
  return trace.map(({ promptTokens, prefixIds }) => {
    let known = 0;
    while (known < prefixIds.length && seen.has(prefixIds[known]!)) known++;
    for (const id of prefixIds) seen.add(id);
    const whole = Math.floor((promptTokens - 1) / blockSize) * blockSize;
    const cached = Math.min(known * TOKENS_PER_ID, whole);
    const steps = Math.ceil((promptTokens - cached) / maxBatchedTokens);
    const pairs = (promptTokens ** 2 - cached ** 2) / 2;
    return (
      steps * H100_8B.baseMs +
      (promptTokens - cached) * H100_8B.prefillTokenMs +
      pairs * H100_8B.prefillPairMs
    );
  });
}
