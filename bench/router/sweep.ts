import { type Chart, drawCharts } from "../svg.ts";
import { alignColumns } from "../table.ts";
import { newRouter, prepare } from "./core.ts";
import { growTrace } from "./grown-trace.ts";
import { Replay } from "./replay.ts";

/** Our full index at one size and number of workers. */
export interface SweepCell {
  blocks: number;
  workers: number;
  find: { p50_us: number; p99_us: number };
  decide: { p50_us: number; p99_us: number };
  /** Nanoseconds per block, from hashes, with a table that grows. */
  store_ns: number;
  /** Linear memory per (block, worker) pair. */
  bytes_per_pair: number;
}

export const SWEEP_BLOCKS = [1_000_000, 4_000_000, 16_000_000];
export const SWEEP_WORKERS = [8, 64, 1024, 4096];

/** Measures costs by size. Each cell uses the same requests, those of the trace's first million blocks. */
export function sweep(
  trace: readonly (readonly number[])[],
  sizes: readonly number[],
  onProgress: (text: string) => void,
): SweepCell[] {
  const asked = growTrace(trace, Math.min(...sizes)).length;
  const cells: SweepCell[] = [];
  for (const size of sizes) {
    onProgress(`${size / 1e6} million blocks: preparing`);
    const workload = prepare(growTrace(trace, size));
    for (const workers of SWEEP_WORKERS) {
      onProgress(`${size / 1e6} million blocks, ${workers} workers`);
      workload.assign(workers);
      const router = newRouter(workers, { maxBlocks: 2 ** 24 });
      const times = new Replay(workload, workload.requests).stores(router, "hashes");
      const { memoryBytes, storedBlocks } = router.stats();
      const replay = new Replay(workload, asked);
      // The first pass warms up V8 and the caches.
      replay.finds(router, false);
      const find = replay.finds(router, false);
      replay.decisions(router, false);
      const decide = replay.decisions(router, false);
      cells.push({
        blocks: workload.distinctBlocks,
        workers,
        find,
        decide,
        store_ns: (times.reduce((sum, time) => sum + time, 0) * 1e6) / workload.blocks,
        bytes_per_pair: memoryBytes / storedBlocks,
      });
    }
  }
  return cells;
}

export function formatSweep(cells: readonly SweepCell[]): string {
  const head = [
    "M blocks",
    "workers",
    "find p50",
    "p99 µs",
    "decide p50",
    "p99 µs",
    "store ns/block",
    "bytes/pair",
  ];
  const lines = cells.map(({ blocks, workers, find, decide, store_ns, bytes_per_pair }) => [
    (blocks / 1e6).toFixed(1),
    String(workers),
    find.p50_us.toFixed(2),
    find.p99_us.toFixed(1),
    decide.p50_us.toFixed(2),
    decide.p99_us.toFixed(1),
    store_ns.toFixed(0),
    bytes_per_pair.toFixed(1),
  ]);
  return `${alignColumns([head, ...lines]).join("\n")}\n`;
}

const PANELS: readonly [title: string, value: (cell: SweepCell) => number][] = [
  ["find p50, µs", ({ find }) => find.p50_us],
  ["find p99, µs", ({ find }) => find.p99_us],
  ["bytes per (block, worker)", (cell) => cell.bytes_per_pair],
  ["decide p50, µs", ({ decide }) => decide.p50_us],
  ["decide p99, µs", ({ decide }) => decide.p99_us],
  ["store, ns per block", (cell) => cell.store_ns],
];

export function plotSweep(cells: readonly SweepCell[]): string {
  const sizes = [...new Set(cells.map(({ blocks }) => blocks))];
  const charts = PANELS.map(
    ([title, value]): Chart => ({
      title,
      places: sizes.map((blocks) => (blocks / 1e6).toFixed(0)),
      placesTitle: "million blocks",
      lines: SWEEP_WORKERS.map((workers) => ({
        name: `${workers.toLocaleString("en")} workers`,
        values: sizes.map((size) => {
          const cell = cells.find(({ blocks, workers: count }) => blocks === size && count === workers);
          return cell && value(cell);
        }),
      })),
    }),
  );
  return drawCharts("Cost of the router's index by its size", charts, 3);
}
