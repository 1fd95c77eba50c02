import { availableParallelism } from "node:os";
import { median } from "../gateway/statistics.ts";
import { alignColumns } from "../table.ts";
import type { Quantiles } from "./client.ts";
import type { ContenderName } from "./contenders.ts";
import type { Level, Measurement, Run } from "./measure.ts";
import type { AttachBenchOptions } from "./options.ts";

/** The results of one contender at one concurrency: medians over the rounds, and sums of errors. */
export interface Row {
  concurrency: number;
  contender: ContenderName;
  ttftMs: Quantiles;
  gapMs: Quantiles;
  /** CPU seconds per million chunks. */
  cpu: number;
  residentMb: number;
  /** Relative to vllm-router in the same round; null if that was not measured. */
  ratio: { cpu: number; ttftP50: number; ttftP99: number } | null;
  answers: number;
  errors: number;
  lostChunks: number;
  firstError: string | null;
}

export interface Report {
  node: string;
  cores: number;
  options: Omit<AttachBenchOptions, "json">;
  rows: Row[];
  /** Maximum share of a core that mock engines and load client used while a proxy was measured. */
  busiest: { mock: number; client: number };
  /** Mock engines and client at twice the maximum concurrency, without a proxy. */
  headroom: { concurrency: number; mockShare: number; clientShare: number; gapMs: Quantiles };
}

export function report(options: AttachBenchOptions, { levels, headroom }: Measurement): Report {
  const { json: _, ...rest } = options;
  const { mockShare, clientShare, gapMs } = headroom.run;
  const runs = levels.flatMap(({ rounds }) => rounds.flatMap((round) => Object.values(round)));
  return {
    node: process.version,
    cores: availableParallelism(),
    options: rest,
    rows: levels.flatMap((level) => options.contenders.map((contender) => toRow(level, contender))),
    busiest: {
      mock: Math.max(...runs.map((run) => run.mockShare)),
      client: Math.max(...runs.map((run) => run.clientShare)),
    },
    headroom: { concurrency: headroom.concurrency, mockShare, clientShare, gapMs },
  };
}

export function toRow({ concurrency, rounds }: Level, contender: ContenderName): Row {
  const runs = rounds.map((round) => round[contender]!);
  const sum = (figure: (run: Run) => number) => runs.reduce((total, run) => total + figure(run), 0);
  return {
    concurrency,
    contender,
    ttftMs: quantiles(runs.map((run) => run.ttftMs)),
    gapMs: quantiles(runs.map((run) => run.gapMs)),
    cpu: median(runs.map((run) => run.cpu)),
    residentMb: median(runs.map((run) => run.residentBytes)) / 1e6,
    ratio: rounds.some((round) => round["vllm-router"] === undefined) ? null : ratios(rounds, contender),
    answers: sum((run) => run.answers),
    errors: sum((run) => run.errors),
    lostChunks: sum((run) => run.lostChunks),
    firstError: runs.find((run) => run.firstError !== null)?.firstError ?? null,
  };
}

function ratios(rounds: Level["rounds"], contender: ContenderName): Row["ratio"] {
  const ratio = (figure: (run: Run) => number) =>
    median(rounds.map((round) => figure(round[contender]!) / figure(round["vllm-router"]!)));
  return {
    cpu: ratio((run) => run.cpu),
    ttftP50: ratio((run) => run.ttftMs.p50 ?? Number.NaN),
    ttftP99: ratio((run) => run.ttftMs.p99 ?? Number.NaN),
  };
}

const quantiles = (all: readonly Quantiles[]): Quantiles => ({
  p50: median(all.map(({ p50 }) => p50 ?? Number.NaN)),
  p99: median(all.map(({ p99 }) => p99 ?? Number.NaN)),
});

export function formatReport({ node, cores, options, rows, busiest, headroom }: Report): string {
  const { engines, chunks, interval, steps, rounds, seconds } = options;
  const pace = steps ? ", all streams at the same time" : "";
  return [
    `Node ${node}, ${cores} cores; ${engines} mock engines, ${chunks} chunks per answer, ${interval} ms apart${pace};`,
    `medians of ${rounds} interleaved rounds of ${seconds} s. Times in ms, p50 / p99; CPU in seconds per million chunks;`,
    "in parentheses: relative to vllm-router.",
    "",
    ...alignColumns([HEAD, ...rows.map(cells)]),
    "",
    ...rows.flatMap(({ contender, concurrency, firstError }) =>
      firstError === null ? [] : [`${contender}, ${concurrency} streams: ${firstError}`],
    ),
    `While a proxy was measured, the mock engines used at most ${percent(busiest.mock)} of a core, the load client ${percent(busiest.client)}.`,
    `Without a proxy, with ${headroom.concurrency} streams: ${percent(headroom.mockShare)} and ${percent(headroom.clientShare)}, chunks ${pair(headroom.gapMs)} ms apart.`,
    "",
  ].join("\n");
}

const HEAD = [
  "streams",
  "in front",
  "first chunk",
  "between chunks",
  "CPU",
  "RSS MB",
  "answers",
  "errors",
  "lost",
];

function cells(row: Row): string[] {
  const { concurrency, contender, ttftMs, gapMs, cpu, ratio, residentMb } = row;
  const hasProxy = contender !== "nothing";
  const times = (value: number) => `${value.toFixed(2)}×`;
  const ttft = ratio && hasProxy ? ` (${times(ratio.ttftP50)} / ${times(ratio.ttftP99)})` : "";
  return [
    String(concurrency),
    contender,
    `${pair(ttftMs)}${ttft}`,
    pair(gapMs),
    hasProxy ? `${cpu.toFixed(1)}${ratio ? ` (${times(ratio.cpu)})` : ""}` : "",
    hasProxy ? residentMb.toFixed(0) : "",
    String(row.answers),
    String(row.errors),
    String(row.lostChunks),
  ];
}

const pair = ({ p50, p99 }: Quantiles) => `${p50?.toFixed(1) ?? "-"} / ${p99?.toFixed(1) ?? "-"}`;

const percent = (share: number) => `${Math.round(share * 100)} %`;
