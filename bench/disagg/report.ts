import { type Chart, drawCharts } from "../svg.ts";
import type { Case } from "./cases.ts";
import type { DisaggResult } from "./simulate.ts";

export interface Row extends DisaggResult {
  readonly case: Case;
}

const COLUMNS: readonly [title: string, value: (row: Row, first: Row) => string][] = [
  ["", ({ case: { name } }) => name],
  ["TTFT p50", ({ ttftMs }) => ttftMs.p50.toFixed(0)],
  ["p99 ms", ({ ttftMs }) => ttftMs.p99.toFixed(0)],
  ["p99 of first's", ({ ttftMs }, first) => (ttftMs.p99 / first.ttftMs.p99).toFixed(2)],
  ["ITL p50", ({ itlMs }) => itlMs.p50.toFixed(1)],
  ["p99 ms", ({ itlMs }) => itlMs.p99.toFixed(1)],
  ["p99 of first's", ({ itlMs }, first) => (itlMs.p99 / first.itlMs.p99).toFixed(2)],
  ["per request p99", ({ tpotMs }) => tpotMs.p99.toFixed(1)],
  ["good/s", ({ goodput, requestsPerSecond }) => `${goodput.toFixed(2)} of ${requestsPerSecond.toFixed(2)}`],
  ["hit rate %", ({ hitRate }) => (hitRate * 100).toFixed(1)],
  ["remote %", ({ remoteShare }) => (remoteShare * 100).toFixed(0)],
  ["busy: prefill %", ({ prefillBusy }) => (prefillBusy * 100).toFixed(0)],
  ["decode %", ({ decodeBusy }) => (decodeBusy * 100).toFixed(0)],
];

/** The tables, each compared with its first row. */
export function formatTables(rows: readonly Row[]): string {
  const tables = Map.groupBy(rows, (row) => row.case.table);
  return Array.from(tables, ([title, those]) => `\n${title}\n${formatTable(those)}\n`).join("");
}

function formatTable(rows: readonly Row[]): string {
  const cells = [
    COLUMNS.map(([title]) => title),
    ...rows.map((row) => COLUMNS.map(([, value]) => value(row, rows[0]!))),
  ];
  const widths = COLUMNS.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  return cells
    .map((line) =>
      line
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const PANELS: readonly [title: string, value: (row: Row) => number][] = [
  ["TTFT p50, ms", (row) => row.ttftMs.p50],
  ["TTFT p99, ms", (row) => row.ttftMs.p99],
  ["good requests, %", (row) => (row.goodput / row.requestsPerSecond) * 100],
  ["ITL p50, ms", (row) => row.itlMs.p50],
  ["ITL p99, ms", (row) => row.itlMs.p99],
  ["ITL p99 of a request's mean, ms", (row) => row.tpotMs.p99],
];

/** Plots the ratios by load. */
export function plot(rows: readonly Row[]): string {
  const loads = [...new Set(rows.map((row) => row.case.copies))];
  const names = [...new Set(rows.map((row) => row.case.name))];
  const charts = PANELS.map(
    ([title, value]): Chart => ({
      title,
      places: loads.map(String),
      placesTitle: "copies of the trace at once",
      logarithmic: /TTFT/.test(title),
      lines: names.map((name) => ({
        name,
        values: loads.map((copies) => {
          const row = rows.find((each) => each.case.name === name && each.case.copies === copies);
          return row && value(row);
        }),
        dashed: name === "aggregated",
      })),
    }),
  );
  return drawCharts("Aggregated and disaggregated serving on the conversation trace, by load", charts, 3);
}
