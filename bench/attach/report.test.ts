import { expect, it } from "vitest";
import type { Level, Run } from "./measure.ts";
import { toRow } from "./report.ts";

/** A run whose proxy took `cpu` seconds per million chunks, with first chunks after `ttft` ms. */
function run(cpu: number, ttft: number, errors = 0): Run {
  return {
    answers: 10,
    chunks: 1280,
    lostChunks: 3 * errors,
    errors,
    firstError: errors > 0 ? "no [DONE]" : null,
    ttftMs: { p50: ttft, p99: 10 * ttft },
    gapMs: { p50: 5, p99: 6 },
    wallSeconds: 1,
    cpuSeconds: 0.1,
    cpu,
    residentBytes: 50e6,
    mockShare: 0.2,
    clientShare: 0.1,
  };
}

const level: Level = {
  concurrency: 64,
  rounds: [
    { "vllm-router": run(10, 4), stator: run(20, 2) },
    { "vllm-router": run(30, 4), stator: run(15, 2, 1) },
    { "vllm-router": run(40, 4), stator: run(40, 8) },
  ],
};

it("computes ratios within each round, and their medians", () => {
  const row = toRow(level, "stator");
  expect(row.ratio).toEqual({ cpu: 1, ttftP50: 0.5, ttftP99: 0.5 });
  expect(row.cpu).toBe(20);
  expect(row.ttftMs).toEqual({ p50: 2, p99: 20 });
});

it("sums errors over all rounds", () => {
  expect(toRow(level, "stator")).toMatchObject({
    answers: 30,
    errors: 1,
    lostChunks: 3,
    firstError: "no [DONE]",
  });
});

it("has no ratios without vllm-router", () => {
  expect(toRow({ concurrency: 64, rounds: [{ stator: run(1, 1) }] }, "stator").ratio).toBeNull();
});
