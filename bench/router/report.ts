import { availableParallelism } from "node:os";
import { basename } from "node:path";
import { median } from "../gateway/statistics.ts";
import { alignColumns } from "../table.ts";
import type { Figures, Finds, OurFigures, PeerFigures, Quantiles, Ratios, Row, Times } from "./figures.ts";
import type { RouterBenchOptions } from "./options.ts";

/** Consecutive runs of all indexes. */
export interface Round {
  ours: OurFigures;
  peers: PeerFigures[];
}

/**
 * Medians over the rounds, of the figures and of the ratios of each round.
 * @throws Error if indexes find different blocks
 */
export function toRow(workers: number, rounds: readonly Round[]): Row {
  checkHits(rounds);
  const ours = rounds.map((round) => round.ours);
  const names = rounds[0]?.peers.map(({ name }) => name) ?? [];
  return {
    workers,
    ours: {
      ...figures(ours),
      decide: times(ours.map(({ decide }) => decide)),
      decide_full: times(ours.map(({ decide_full }) => decide_full)),
      stores_growing_per_s: median(ours.map((run) => run.stores_growing_per_s)),
      stores_from_tokens_per_s: median(ours.map((run) => run.stores_from_tokens_per_s)),
    },
    peers: names.map((name, i) => ({ name, ...figures(rounds.map(({ peers }) => peers[i]!)) })),
    ratios: names.length === 0 ? null : medianRatios(rounds.map(ratiosOf)),
  };
}

function checkHits(rounds: readonly Round[]): void {
  for (const regime of ["growing", "full"] as const) {
    const hits = rounds.flatMap(({ ours, peers }) => [ours, ...peers].map((run) => run[regime].hit_blocks));
    if (new Set(hits).size > 1)
      throw new Error(`The indexes do not find the same blocks (${regime}: ${hits.join(", ")}).`);
  }
}

function figures(runs: readonly Figures[]): Figures {
  return {
    growing: finds(runs.map(({ growing }) => growing)),
    full: finds(runs.map(({ full }) => full)),
    stores_per_s: median(runs.map((run) => run.stores_per_s)),
    removes_per_s: median(runs.map((run) => run.removes_per_s)),
    bytes_per_pair: median(runs.map((run) => run.bytes_per_pair)),
    peak_bytes: median(runs.map((run) => run.peak_bytes)),
  };
}

const finds = (runs: readonly Finds[]): Finds => ({
  ...times(runs),
  max_us: median(runs.map((run) => run.max_us)),
  hit_blocks: median(runs.map((run) => run.hit_blocks)),
});

const times = (runs: readonly Times[]): Times => ({
  p50_us: median(runs.map((run) => run.p50_us)),
  p99_us: median(runs.map((run) => run.p99_us)),
});

function ratiosOf({ ours, peers }: Round): Ratios {
  const least = (figure: (run: Figures) => number) => Math.min(...peers.map(figure));
  const most = (figure: (run: Figures) => number) => Math.max(...peers.map(figure));
  const best = (regime: "growing" | "full"): Quantiles => ({
    p50: least((run) => run[regime].p50_us),
    p99: least((run) => run[regime].p99_us),
  });
  const [growing, full] = [best("growing"), best("full")];
  const stores = most((run) => run.stores_per_s);
  return {
    growing: { p50: growing.p50 / ours.growing.p50_us, p99: growing.p99 / ours.growing.p99_us },
    full: { p50: full.p50 / ours.full.p50_us, p99: full.p99 / ours.full.p99_us },
    decide: { p50: ours.decide.p50_us / growing.p50, p99: ours.decide.p99_us / growing.p99 },
    decide_full: { p50: ours.decide_full.p50_us / full.p50, p99: ours.decide_full.p99_us / full.p99 },
    stores: ours.stores_per_s / stores,
    stores_growing: ours.stores_growing_per_s / stores,
    removes: ours.removes_per_s / most((run) => run.removes_per_s),
    bytes: ours.bytes_per_pair / least((run) => run.bytes_per_pair),
  };
}

function medianRatios(all: readonly Ratios[]): Ratios {
  const one = (value: (ratios: Ratios) => number) => median(all.map(value));
  const both = (value: (ratios: Ratios) => Quantiles): Quantiles => ({
    p50: one((ratios) => value(ratios).p50),
    p99: one((ratios) => value(ratios).p99),
  });
  return {
    growing: both(({ growing }) => growing),
    full: both(({ full }) => full),
    decide: both(({ decide }) => decide),
    decide_full: both(({ decide_full }) => decide_full),
    stores: one(({ stores }) => stores),
    stores_growing: one(({ stores_growing }) => stores_growing),
    removes: one(({ removes }) => removes),
    bytes: one(({ bytes }) => bytes),
  };
}

export function formatRows(rows: readonly Row[], { trace, blocksPerId, repeat }: RouterBenchOptions): string {
  return [
    `Node ${process.version}, ${availableParallelism()} cores; ${basename(trace)}, ${blocksPerId} blocks per id, ${repeat} interleaved rounds, medians.`,
    "Times in µs, p50 / p99 / max; rates in million blocks per second.",
    "",
    ...alignColumns([HEAD, ...rows.flatMap(linesOf)]),
    "",
    "find: by block hashes, ours and theirs. decide: only ours, from token ids, with pricing and booking, p50 / p99.",
    ...rows.flatMap(({ workers, ours, ratios }) => [
      "",
      `${workers} workers: ${ours.growing.hit_blocks} hit blocks growing, ${ours.full.hit_blocks} full, the same for all.`,
      ...(ratios === null ? [] : describeRatios(ratios)),
    ]),
    "",
  ].join("\n");
}

const HEAD = [
  "workers",
  "index",
  "find, growing",
  "find, full",
  "decide, growing",
  "decide, full",
  "stores",
  "removes",
  "bytes/pair",
  "peak MB",
];

function linesOf({ workers, ours, peers }: Row): string[][] {
  const pair = ({ p50_us, p99_us }: Times) => `${p50_us.toFixed(2)} / ${p99_us.toFixed(1)}`;
  const line = (name: string, run: Figures, decisions: readonly string[], stores: string) => [
    String(workers),
    name,
    `${pair(run.growing)} / ${run.growing.max_us.toFixed(0)}`,
    `${pair(run.full)} / ${run.full.max_us.toFixed(0)}`,
    ...decisions,
    stores,
    millions(run.removes_per_s),
    run.bytes_per_pair.toFixed(1),
    (run.peak_bytes / 1e6).toFixed(0),
  ];
  return [
    line(
      "Stator",
      ours,
      [pair(ours.decide), pair(ours.decide_full)],
      `${millions(ours.stores_per_s)} (table grows: ${millions(ours.stores_growing_per_s)}; from tokens: ${millions(ours.stores_from_tokens_per_s)})`,
    ),
    ...peers.map((peer) => line(peer.name, peer, ["", ""], millions(peer.stores_per_s))),
  ];
}

const millions = (rate: number) => (rate / 1e6).toFixed(1);

/** The ratios to the best peer in each figure. */
function describeRatios(ratios: Ratios): string[] {
  const both = ({ p50, p99 }: Quantiles) => `${p50.toFixed(2)} / ${p99.toFixed(2)}`;
  return [
    `  find, times faster, p50 / p99: growing ${both(ratios.growing)}, full ${both(ratios.full)}`,
    `  decide, share of the peer's find time: growing ${both(ratios.decide)}, full ${both(ratios.decide_full)}`,
    `  stores ${ratios.stores.toFixed(2)}× (table grows: ${ratios.stores_growing.toFixed(2)}×), removes ${ratios.removes.toFixed(2)}×, bytes ${ratios.bytes.toFixed(2)}`,
  ];
}
