import type { Replay } from "./cases.ts";
import type { Quantiles, SimulationResult } from "./simulate.ts";

/** The results of one policy. */
export interface Row extends SimulationResult {
  name: string;
}

/** All policies at one number of workers. */
export interface Table extends Replay {
  rows: readonly Row[];
  /** Over the requests: the minimum for each, alone and with everything before it cached. */
  leastTtftMs: Quantiles;
}

const COLUMNS: readonly [title: string, value: (row: Row, table: Table) => string][] = [
  ["policy", (row) => row.name],
  ["hit rate %", (row) => (row.hitRate * 100).toFixed(1)],
  ["of oracle's %", (row, table) => ((row.hitRate / rowOf(table, "oracle").hitRate) * 100).toFixed(1)],
  ["TTFT p50", (row) => row.ttftMs.p50.toFixed(0)],
  ["p90", (row) => row.ttftMs.p90.toFixed(0)],
  ["p99 ms", (row) => row.ttftMs.p99.toFixed(0)],
  ["p99 of round-robin's", (row, table) => ratio(row.ttftMs.p99, rowOf(table, "round-robin").ttftMs.p99)],
  ["ITL p50", (row) => row.itlMs.p50.toFixed(1)],
  ["p99 ms", (row) => row.itlMs.p99.toFixed(1)],
  ["good/s", (row) => row.goodput.toFixed(2)],
  ["max/mean load", (row) => (row.name === "oracle" ? "" : row.imbalance.toFixed(2))],
  ["busy %", (row) => (row.utilization * 100).toFixed(0)],
];

export const rowOf = (table: Table, name: string): Row => table.rows.find((row) => row.name === name)!;

export function formatTable(table: Table): string {
  const lines = [
    COLUMNS.map(([title]) => title),
    ...table.rows.map((row) => COLUMNS.map(([, value]) => value(row, table))),
  ];
  const widths = COLUMNS.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const text = lines.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
  const { p50, p90, p99 } = table.leastTtftMs;
  const least = [p50, p90, p99].map((ms) => ms.toFixed(0)).join(" / ");
  return [
    "",
    titleOf(table),
    ...text,
    `Minimum TTFT possible on one worker, p50 / p90 / p99: ${least} ms, ${ratio(p99, rowOf(table, "round-robin").ttftMs.p99)} of round-robin's.`,
    "",
  ].join("\n");
}

export function titleOf({ workers, copies, minutes }: Replay): string {
  const title = [`${workers} workers`];
  if (copies > 1) title.push(`${copies} concurrent copies of the trace`);
  if (Number.isFinite(minutes)) title.push(`its first ${minutes} minutes`);
  return title.join(", ");
}

const ratio = (a: number, b: number) => (a / b).toFixed(2);
