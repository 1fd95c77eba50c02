import { type Chart, drawCharts } from "../svg.ts";
import { alignColumns } from "../table.ts";
import type { Case } from "./cases.ts";
import type { PictureResult } from "./simulation/simulate.ts";

export interface Row extends PictureResult {
  readonly case: Case;
}

type Column = readonly [title: string, value: (row: Row, reference: Row) => string];

const percent = (share: number) => (share * 100).toFixed(1);

const ROUTING: readonly Column[] = [
  ["Zipf", ({ case: { place } }) => place],
  ["routing", ({ case: { name } }) => name],
  ["hit rate %", ({ hitRate }) => percent(hitRate)],
  ["of media-aware", (row, first) => (row.hitRate / first.hitRate).toFixed(2)],
  ["mispredicted %", ({ mispredicted }) => percent(mispredicted)],
  ["of its tokens %", ({ wrongTokens }) => percent(wrongTokens)],
  ["encodes", ({ encodes }) => String(encodes)],
  ["TTFT p50", ({ ttftMs }) => ttftMs.p50.toFixed(0)],
  ["p90", ({ ttftMs }) => ttftMs.p90.toFixed(0)],
  ["p99 ms", ({ ttftMs }) => ttftMs.p99.toFixed(0)],
  ["p90 of media-aware", (row, first) => (row.ttftMs.p90 / first.ttftMs.p90).toFixed(2)],
  ["ITL p99 ms", ({ itlMs }) => itlMs.p99.toFixed(1)],
];

const ENCODERS: readonly Column[] = [
  ["load", ({ case: { place } }) => place],
  ["pictures/s", ({ case: { workload } }) => workload.perSecond.toFixed(1)],
  ["GPUs", ({ case: { name } }) => name],
  ["pictures' TTFT p50", ({ pictureTtftMs }) => pictureTtftMs.p50.toFixed(0)],
  ["p99 ms", ({ pictureTtftMs }) => pictureTtftMs.p99.toFixed(0)],
  ["p99 of aggregated", (row, first) => (row.pictureTtftMs.p99 / first.pictureTtftMs.p99).toFixed(2)],
  ["ITL p50", ({ itlMs }) => itlMs.p50.toFixed(1)],
  ["p99 ms", ({ itlMs }) => itlMs.p99.toFixed(1)],
  ["p99 of aggregated", (row, first) => (row.itlMs.p99 / first.itlMs.p99).toFixed(2)],
  ["good %", ({ good }) => percent(good)],
  ["E busy %", ({ encodersBusy }) => (encodersBusy * 100).toFixed(0)],
];

const COLUMNS = { routing: ROUTING, encoders: ENCODERS };

/** The tables; each row is compared with the first one of its place. */
export function formatTables(rows: readonly Row[]): string {
  const tables = Map.groupBy(rows, (row) => row.case.title);
  return Array.from(tables, ([title, those]) => {
    const columns = COLUMNS[those[0]!.case.part];
    const lines = those.map((row) => {
      const first = those.find(({ case: { place } }) => place === row.case.place)!;
      return columns.map(([, value]) => value(row, first));
    });
    return `\n${title}\n${alignColumns([columns.map(([name]) => name), ...lines]).join("\n")}\n`;
  }).join("");
}

/**
 * Which number of encode GPUs does best by a measure, for each title and place: a line each. Answers are fluent where pictures
 * hardly get through, so only those count by ITL whose first tokens take at most twice as long as aggregated.
 */
export function formatWinners(rows: readonly Row[]): string {
  const compared = rows.filter(({ case: { part } }) => part === "encoders");
  const groups = Map.groupBy(compared, (row) => `${row.case.title}, ${row.case.place}`);
  const lines = Array.from(groups, ([title, those]) => {
    const best = (of: readonly Row[], value: (row: Row) => number) =>
      of.reduce((least, row) => (value(row) < value(least) ? row : least)).case.name;
    const ttft = (row: Row) => row.pictureTtftMs.p99;
    const prompt = those.filter((row) => ttft(row) <= 2 * ttft(those[0]!));
    return [title, best(those, ttft), best(prompt, (row) => row.itlMs.p99), best(those, (row) => -row.good)];
  });
  if (lines.length === 0) return "";
  const head = ["", "least TTFT p99", "least ITL p99", "most good"];
  return `\nWhere each wins\n${alignColumns([head, ...lines]).join("\n")}\n`;
}

const ROUTING_PANELS: readonly [title: string, value: (row: Row) => number][] = [
  ["hit rate, %", (row) => row.hitRate * 100],
  ["mispredicted requests, %", (row) => row.mispredicted * 100],
  ["TTFT p90, ms", (row) => row.ttftMs.p90],
];

const ENCODER_PANELS: readonly [title: string, value: (row: Row) => number, isLogarithmic: boolean][] = [
  ["TTFT p99, ms", (row) => row.pictureTtftMs.p99, true],
  ["ITL p99, ms", (row) => row.itlMs.p99, true],
];

/** Plots the simulations: a row of panels for routing, and for each encoder a row for each measure. */
export function plot(rows: readonly Row[]): string {
  const routing = rows.filter(({ case: { part } }) => part === "routing");
  const encoders = rows.filter(({ case: { part } }) => part === "encoders");
  const titles = [...new Set(encoders.map((row) => row.case.title))];
  const byEncoder = Map.groupBy(titles, (title) => title.split(",")[0]!);
  const charts = [
    ...(routing.length === 0 ? [] : ROUTING_PANELS).map(([title, value]) =>
      chartOf(routing, title, "Zipf's exponent of repeated pictures", value, false),
    ),
    ...[...byEncoder.values()].flatMap((own) =>
      ENCODER_PANELS.flatMap(([measure, value, isLogarithmic]) =>
        own.map((title) => {
          const those = encoders.filter((row) => row.case.title === title);
          const short = title.replace(" encoder, pictures of", ",").replace("megapixels", "MP");
          return chartOf(those, `${short}: ${measure}`, "load", value, isLogarithmic);
        }),
      ),
    ),
  ];
  return drawCharts("Routing by pictures, and encode engines against aggregated ones", charts, 3);
}

function chartOf(
  rows: readonly Row[],
  title: string,
  placesTitle: string,
  value: (row: Row) => number,
  logarithmic: boolean,
): Chart {
  const places = [...new Set(rows.map((row) => row.case.place))];
  const names = [...new Set(rows.map((row) => row.case.name))];
  return {
    title,
    places,
    placesTitle,
    logarithmic,
    lines: names.map((name) => ({
      name,
      values: places.map((place) => {
        const row = rows.find((each) => each.case.name === name && each.case.place === place);
        return row && value(row);
      }),
      dashed: name === "aggregated" || name === "round-robin",
    })),
  };
}
