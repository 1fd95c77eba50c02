import { type Chart, drawCharts } from "../svg.ts";
import { type Row, rowOf, type Table } from "./report.ts";

const PANELS: readonly [title: string, value: (row: Row, table: Table) => number, without?: string][] = [
  ["hit rate, %", (row) => row.hitRate * 100],
  ["hit rate, % of the oracle's", (row, table) => (row.hitRate / rowOf(table, "oracle").hitRate) * 100],
  ["max/mean load", (row) => row.imbalance, "oracle"],
  ["TTFT p50, ms", (row) => row.ttftMs.p50],
  ["TTFT p99, ms", (row) => row.ttftMs.p99, "oracle"],
  ["ITL p99, ms", (row) => row.itlMs.p99],
];

const LOGARITHMIC: ReadonlySet<string> = new Set(["TTFT p50, ms", "ITL p99, ms"]);

/** Plots every figure by the number of workers. */
export function plotTables(tables: readonly Table[]): string {
  const charts = PANELS.map(([title, value, without]): Chart => {
    const names = (tables[0]?.rows ?? []).map(({ name }) => name).filter((name) => name !== without);
    return {
      title,
      places: tables.map(({ workers }) => workers.toLocaleString("en")),
      placesTitle: "workers",
      logarithmic: LOGARITHMIC.has(title),
      lines: names.map((name) => ({
        name,
        values: tables.map((table) => value(rowOf(table, name), table)),
        dashed: name === "oracle" || name === "kv, Dynamo's weights",
      })),
    };
  });
  return drawCharts("Policies on the conversation trace, by number of workers", charts, 3);
}
