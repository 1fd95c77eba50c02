import { availableParallelism } from "node:os";
import type { Level, Run } from "./measure.ts";
import type { BenchOptions } from "./options.ts";
import { median, percentile } from "./statistics.ts";

/** The results at one concurrency: milliseconds, and CPU seconds per million streamed tokens. */
export interface Row {
  concurrency: number;
  ttft: { bare: Quantiles; gateway: Quantiles; added: Quantiles };
  cpu: {
    bare: number;
    /** The gateway's process. */
    process: number;
    /** The echo engine alone, if it is in the gateway's process; otherwise 0. */
    engine: number;
    /** `process` minus `engine`. */
    gateway: number;
    /** `process` and `gateway` divided by `bare`: medians of the ratios of consecutive runs. */
    processRatio: number;
    gatewayRatio: number;
    /** The worker's process, if it has its own; otherwise 0. */
    worker: number;
  };
  /** In the gateway's answers; below 1 if tokens that the worker sent together share an event. */
  eventsPerToken: number;
  /** Maximum share of one core that the load client used. */
  clientShare: number;
}

interface Quantiles {
  p50: number;
  p99: number;
}

export interface Report {
  node: string;
  cores: number;
  options: Omit<BenchOptions, "json">;
  rows: Row[];
}

export function report(options: BenchOptions, levels: readonly Level[]): Report {
  const { json: _, ...rest } = options;
  return { node: process.version, cores: availableParallelism(), options: rest, rows: levels.map(toRow) };
}

function toRow({ concurrency, bare, gateway, engineCpu }: Level): Row {
  const ttft = { bare: quantiles(bare), gateway: quantiles(gateway) };
  const added = { p50: ttft.gateway.p50 - ttft.bare.p50, p99: ttft.gateway.p99 - ttft.bare.p99 };
  const own = gateway.map((run, index) => run.cpu - (engineCpu[index] ?? 0));
  return {
    concurrency,
    ttft: { ...ttft, added },
    cpu: {
      bare: median(bare.map((run) => run.cpu)),
      process: median(gateway.map((run) => run.cpu)),
      engine: engineCpu.length === 0 ? 0 : median(engineCpu),
      gateway: median(own),
      processRatio: median(gateway.map((run, index) => run.cpu / bare[index]!.cpu)),
      gatewayRatio: median(own.map((cpu, index) => cpu / bare[index]!.cpu)),
      worker: median(gateway.map((run) => run.workerCpu)),
    },
    eventsPerToken: median(gateway.map((run) => run.eventsPerToken)),
    clientShare: Math.max(...[...bare, ...gateway].map((run) => run.clientShare)),
  };
}

/** Quantiles over the answers of all runs. */
function quantiles(runs: readonly Run[]): Quantiles {
  const all = runs.flatMap((run) => run.ttftMs);
  return { p50: percentile(all, 0.5), p99: percentile(all, 0.99) };
}

export function formatReport({ node, cores, options, rows }: Report): string {
  const { tokens, interval, requests, repeat, plane } = options;
  const pace = interval === 0 ? "at maximum speed" : `${interval} ms apart`;
  return [
    `Node ${node}, ${cores} cores. Answers of ${tokens} tokens, ${pace}; ${requests} per connection and run,`,
    `${repeat} interleaved runs.`,
    "",
    "Time to first token in ms, p50 / p99",
    ...ttftTable(rows),
    "",
    "CPU seconds per million streamed tokens, median (in parentheses: relative to the bare server)",
    ...(plane === "memory" ? sharedProcessTable(rows) : ownProcessTable(rows)),
    `The gateway wrote ${Math.min(...rows.map((row) => row.eventsPerToken)).toFixed(3)} or more events per token, the bare server 1.`,
    `The load client used at most ${percent(Math.max(...rows.map((row) => row.clientShare)))} of a core.`,
    "",
  ].join("\n");
}

const ttftTable = (rows: readonly Row[]) =>
  table(
    ["streams", "bare server", "gateway", "added"],
    rows.map(({ concurrency, ttft: { bare, gateway, added } }) => [
      String(concurrency),
      ...[bare, gateway, added].map(({ p50, p99 }) => `${p50.toFixed(2)} / ${p99.toFixed(2)}`),
    ]),
  );

/** For a worker in the gateway's process. */
const sharedProcessTable = (rows: readonly Row[]) => [
  ...table(
    ["streams", "bare server", "gateway + worker + engine", "engine alone", "difference"],
    rows.map(({ concurrency, cpu }) => [
      String(concurrency),
      cpu.bare.toFixed(1),
      times(cpu.process, cpu.processRatio),
      cpu.engine.toFixed(1),
      times(cpu.gateway, cpu.gatewayRatio),
    ]),
  ),
  "The engine alone ran in a separate process at the same pace. Both it and the bare server pay for timers and",
  "wake-ups, which are most of the cost with few streams, so the true ratio is between the two. The difference",
  "includes the worker host and both ends of the request plane.",
];

const ownProcessTable = (rows: readonly Row[]) => [
  ...table(
    ["streams", "bare server", "gateway", "worker + engine"],
    rows.map(({ concurrency, cpu }) => [
      String(concurrency),
      cpu.bare.toFixed(1),
      times(cpu.gateway, cpu.gatewayRatio),
      cpu.worker.toFixed(1),
    ]),
  ),
  "Gateway and worker are separate processes, with the request plane over a Unix socket.",
];

const times = (value: number, ratio: number) => `${value.toFixed(1)} (${ratio.toFixed(2)}×)`;

const percent = (share: number) => `${Math.round(share * 100)} %`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines.map((line) => line.map((cell, column) => cell.padStart(widths[column]!)).join("   "));
}
