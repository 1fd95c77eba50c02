import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { routerWasm } from "#cli";
import { DEFAULT_DISAGGREGATION, type DisaggregationOptions } from "#gateway";
import { compileRouter } from "#router-wasm";
import { H100_8B } from "#workers";
import type { TraceRequest } from "../trace/trace.ts";
import type { Pools } from "./pool-gateway.ts";
import { simulateDisagg } from "./simulate.ts";

describe("a simulated trace with prefill and decode workers", () => {
  let module: WebAssembly.Module;

  beforeAll(async () => {
    module = await compileRouter(readFileSync(routerWasm));
  });

  /** Long prompts, of which no two begin alike, and short ones in between. */
  const trace = Array.from({ length: 120 }, (_, index): TraceRequest => {
    const ids = index % 2 === 0 ? 16 : 1;
    const prefixIds = Array.from({ length: ids }, (_, position) => index * 100 + position);
    return { arrivalMs: index * 100, promptTokens: ids * 512 - 200, outputTokens: 100, prefixIds };
  });

  const run = (pools: Pools, disaggregation: Partial<DisaggregationOptions> = {}) =>
    simulateDisagg(
      module,
      {
        trace,
        pools,
        shape: { blockSize: 64, totalBlocks: 2000, maxSequences: 64, maxBatchedTokens: 2048 },
        timing: H100_8B,
        disaggregation: { ...DEFAULT_DISAGGREGATION, ...disaggregation },
        transfer: { latencyMs: 1, bytesPerToken: 131_072, bandwidth: 50 },
      },
      { ttftMs: 2000, tpotMs: 25 },
    );
  const aggregated = { aggregated: 4, prefill: 0, decode: 0 };
  const divided = { aggregated: 0, prefill: 2, decode: 2 };

  test("divides the long prompts, and spares the answers of others their steps", () => {
    const [before, after] = [run(aggregated), run(divided)];
    expect(before.remoteShare).toBe(0);
    expect(before.prefillBusy).toBe(0);
    expect(after.remoteShare).toBeCloseTo(0.5, 1);
    expect(after.itlMs.p99).toBeLessThan(before.itlMs.p99 / 2);
    for (const { goodput, requestsPerSecond } of [before, after])
      expect(goodput / requestsPerSecond).toBeGreaterThan(0.9);
  });

  test("divides more or less by the thresholds", () => {
    expect(run(divided, { minTokens: 100_000 }).remoteShare).toBe(0);
    expect(run(divided, { minTokens: 0, minShare: 0, maxWait: 1000 }).remoteShare).toBe(1);
  });
});
