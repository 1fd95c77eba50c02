import type { SimulationResult } from "./simulate.ts";

/** What one policy came to. */
export interface Row extends SimulationResult {
  policy: string;
}

const COLUMNS: readonly [title: string, value: (row: Row, oracle: Row) => string][] = [
  ["policy", (row) => row.policy],
  ["hit rate %", (row) => (row.hitRate * 100).toFixed(1)],
  ["of oracle %", (row, oracle) => ((row.hitRate / oracle.hitRate) * 100).toFixed(0)],
  ["TTFT p50", (row) => row.ttftMs.p50.toFixed(0)],
  ["p90", (row) => row.ttftMs.p90.toFixed(0)],
  ["p99 ms", (row) => row.ttftMs.p99.toFixed(0)],
  ["ITL p50", (row) => row.itlMs.p50.toFixed(1)],
  ["p99 ms", (row) => row.itlMs.p99.toFixed(1)],
  ["good/s", (row) => row.goodput.toFixed(2)],
  ["max/mean load", (row) => row.imbalance.toFixed(2)],
];

/** One table; the oracle is its last row. */
export function formatTable(workers: number, times: number, rows: readonly Row[]): string {
  const oracle = rows.at(-1)!;
  const lines = [
    COLUMNS.map(([title]) => title),
    ...rows.map((row) => COLUMNS.map(([, value]) => value(row, oracle))),
  ];
  const widths = COLUMNS.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const text = lines.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  "),
  );
  return `\n${workers} workers${times > 1 ? `, the trace ${times} times at once` : ""}\n${text.join("\n")}\n`;
}
