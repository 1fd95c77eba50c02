import { parseArgs } from "node:util";
import { asUsage, integer, runCommand, showProgress } from "../command-line.ts";
import { alignColumns } from "../table.ts";
import { quantilesOf, type SimulationResult } from "../trace/simulate.ts";
import { runJobs } from "../trace/threads.ts";
import { CONVERSATION_TRACE } from "../trace-file.ts";
import { type ReplicaCase, WORKERS } from "./cases.ts";
import { shareDelays, type Throughput, throughput } from "./live.ts";
import { liveReplacementTable, replaceLive } from "./live-replacement.ts";
import { replacementTable, simulateReplacements } from "./replacement.ts";

const HELP = `npm run bench:replicas -- [OPTIONS]

One, two and four gateways in front of ${WORKERS} mock workers on the conversation trace, in virtual time: what it costs that
several decide. Beside Stator's way (gateways tell each other their bookings, and each prefers its own share of the
workers): telling alone, and silence. Then a gateway is replaced in the middle of the trace, by one that takes over what
the old one knows of caches and by one that does not. Then real processes: how long it takes to tell, requests per second,
and a gateway that is replaced in front of engines.

  --minutes N      only the trace's first minutes (10)
  --seconds N      length of each measurement of real gateways; 0: none (5)
  --trace FILE     trace in Mooncake's format
  --json           print one JSON object
  --help           print this text
`;

interface Options {
  readonly minutes: number;
  readonly seconds: number;
  readonly trace: string;
  readonly json: boolean;
}

interface Row extends ReplicaCase {
  readonly hitRate: number;
  readonly imbalance: number;
  readonly ttftMs: SimulationResult["ttftMs"];
  /** Relative to one gateway with the same arrivals. */
  readonly ratios: { readonly hitRate: number; readonly imbalance: number; readonly ttftP50: number };
}

const ARRIVALS = ["bursts", "spread"] as const;
const SHARINGS = ["told, own shares", "told", "silent"] as const;

async function run(options: Options): Promise<void> {
  const rows = await simulateAll(options);
  const replacements = await simulateReplacements(options, (done, all) =>
    showProgress(`${done} of ${all} simulations of a replacement`),
  );
  showProgress("");
  const live = options.seconds > 0 ? await measure(options.seconds) : undefined;
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ workers: WORKERS, minutes: options.minutes, rows, replacements, ...live })}\n`,
    );
    return;
  }
  process.stdout.write(`${tableOf(rows)}\n\n${replacementTable(replacements)}\n`);
  if (live === undefined) return;
  const { p50, p99 } = live.shareDelayMicroseconds;
  process.stdout.write(`\nA booking is known to another gateway's process after ${p50} µs (p99 ${p99}).\n\n`);
  process.stdout.write(`${throughputTable(live.throughput)}\n\n`);
  process.stdout.write(`${liveReplacementTable(live.liveReplacements)}\n`);
}

async function simulateAll(options: Options): Promise<Row[]> {
  const cases = ARRIVALS.flatMap((arrival): ReplicaCase[] => [
    { gateways: 1, arrival, sharing: "told, own shares" },
    ...[2, 4].flatMap((gateways) => SHARINGS.map((sharing) => ({ gateways, arrival, sharing }))),
  ]);
  const results = new Map<ReplicaCase, SimulationResult>();
  await runJobs<ReplicaCase, SimulationResult>(
    new URL("thread.ts", import.meta.url),
    options,
    cases,
    (replica, result) => {
      results.set(replica, result);
      showProgress(`${results.size} of ${cases.length} simulations`);
    },
  );
  showProgress("");
  return cases.map((replica) => {
    const { hitRate, imbalance, ttftMs } = results.get(replica)!;
    const alone = results.get(
      cases.find(({ gateways, arrival }) => gateways === 1 && arrival === replica.arrival)!,
    )!;
    return {
      ...replica,
      hitRate,
      imbalance,
      ttftMs,
      ratios: {
        hitRate: hitRate / alone.hitRate,
        imbalance: imbalance / alone.imbalance,
        ttftP50: ttftMs.p50 / alone.ttftMs.p50,
      },
    };
  });
}

async function measure(seconds: number) {
  showProgress("telling between processes");
  const delays = await shareDelays();
  const results: Throughput[] = [];
  for (const gateways of [1, 2, 4]) {
    showProgress(`requests with ${gateways} gateways`);
    results.push(await throughput(gateways, seconds));
  }
  const liveReplacements = await replaceLive((start) => showProgress(`a real gateway, ${start}`));
  showProgress("");
  return { shareDelayMicroseconds: quantilesOf(delays), throughput: results, liveReplacements };
}

function tableOf(rows: readonly Row[]): string {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const lines = rows.map(({ gateways, arrival, sharing, hitRate, imbalance, ttftMs, ratios }) => [
    arrival,
    String(gateways),
    gateways === 1 ? "" : sharing,
    `${percent(hitRate)} (${ratios.hitRate.toFixed(3)})`,
    `${imbalance.toFixed(2)} (${ratios.imbalance.toFixed(2)})`,
    `${ttftMs.p50.toFixed(0)} (${ratios.ttftP50.toFixed(2)})`,
    ttftMs.p90.toFixed(0),
    ttftMs.p99.toFixed(0),
  ]);
  const head = ["arrivals", "gateways", "", "hit rate", "load, most / mean", "TTFT p50 ms", "p90", "p99"];
  const note = "In brackets: relative to one gateway. Bounds: hit rate 0.98, load 1.10, TTFT p50 1.15.";
  return `${alignColumns([head, ...lines]).join("\n")}\n\n${note}`;
}

function throughputTable(results: readonly Throughput[]): string {
  const head = ["gateways", "requests/s", "gateway CPU, ms a request"];
  const lines = results.map(({ gateways, requestsPerSecond, gatewayCpuMs }) => [
    String(gateways),
    requestsPerSecond.toFixed(0),
    gatewayCpuMs.toFixed(2),
  ]);
  return `${alignColumns([head, ...lines]).join("\n")}\n\nGateways, workers and client share this machine's cores.`;
}

function readOptions(): Options | undefined {
  const { values } = asUsage(() =>
    parseArgs({
      options: {
        minutes: { type: "string", default: "10" },
        seconds: { type: "string", default: "5" },
        trace: { type: "string", default: CONVERSATION_TRACE },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }),
  );
  if (values.help) return undefined;
  return {
    minutes: integer("minutes", values.minutes, 1, 1_000),
    seconds: integer("seconds", values.seconds, 0, 600),
    trace: values.trace,
    json: values.json,
  };
}

/** `npm run bench:replicas` */
await runCommand(HELP, readOptions, run);
