import { DEFAULT_DISAGGREGATION, type DisaggregationOptions } from "#gateway";
import { SHAPE } from "../trace/cases.ts";
import type { WorkerShape } from "../trace/simulated-worker.ts";
import type { DisaggOptions } from "./options.ts";
import type { Pools } from "./pool-gateway.ts";

/** One simulation. */
export interface Case {
  /** What it is compared with: cases of a table have the same. */
  readonly table: string;
  readonly name: string;
  readonly pools: Pools;
  /** Concurrent copies of the trace. */
  readonly copies: number;
  readonly shape: WorkerShape;
  readonly disaggregation: DisaggregationOptions;
}

/** Every ratio at every load, with the default thresholds. */
export function ratioCases({ workers, loads }: DisaggOptions): Case[] {
  const ratios = [0, 1, 2, 3, 4, 5, 6].map((eighths) =>
    // One at least answers.
    Math.min(workers - 1, Math.round((eighths * workers) / 8)),
  );
  return loads.flatMap((copies) =>
    [...new Set(ratios)].map((prefill) => ({
      table: `${copies}× the trace`,
      name: prefill === 0 ? "aggregated" : `${prefill} prefill : ${workers - prefill} decode`,
      pools: poolsOf(prefill, workers),
      copies,
      shape: SHAPE,
      disaggregation: DEFAULT_DISAGGREGATION,
    })),
  );
}

/** One threshold after the other, at the ratio and load given for it. */
export function thresholdCases({ workers, tuned: { prefill, copies } }: DisaggOptions): Case[] {
  const tried: Record<string, Partial<DisaggregationOptions>[]> = {
    "--remote-prefill-min-tokens": [0, 128, 512, 1024, 2048, 4096].map((minTokens) => ({ minTokens })),
    "--remote-prefill-min-share": [0, 0.1, 0.25, 0.5, 0.75].map((minShare) => ({ minShare })),
    "--remote-prefill-max-wait": [1, 2, 4, 8, 1000].map((maxWait) => ({ maxWait })),
  };
  return Object.entries(tried).flatMap(([table, values]) =>
    values.map((changed) => ({
      table,
      name: String(Object.values(changed)[0]),
      pools: poolsOf(prefill, workers),
      copies,
      shape: SHAPE,
      disaggregation: { ...DEFAULT_DISAGGREGATION, ...changed },
    })),
  );
}

/** Block and batch sizes, aggregated and divided. */
export function shapeCases({ workers, tuned: { prefill, copies } }: DisaggOptions): Case[] {
  const shapes: Record<string, Partial<WorkerShape>[]> = {
    "block size in tokens": [16, 32, 64, 128].map((blockSize) => ({
      blockSize,
      totalBlocks: (SHAPE.totalBlocks * SHAPE.blockSize) / blockSize,
    })),
    "most tokens in a step": [1024, 2048, 4096, 8192, 16_384].map((maxBatchedTokens) => ({
      maxBatchedTokens,
    })),
  };
  return Object.entries(shapes).flatMap(([title, values]) =>
    [0, prefill].flatMap((count) =>
      values.map((changed) => ({
        table: `${title}, ${count === 0 ? "aggregated" : `${count} prefill : ${workers - count} decode`}`,
        name: String(Object.values(changed)[0]),
        pools: poolsOf(count, workers),
        copies,
        shape: { ...SHAPE, ...changed },
        disaggregation: DEFAULT_DISAGGREGATION,
      })),
    ),
  );
}

const poolsOf = (prefill: number, workers: number): Pools =>
  prefill === 0
    ? { aggregated: workers, prefill: 0, decode: 0 }
    : { aggregated: 0, prefill, decode: workers - prefill };
