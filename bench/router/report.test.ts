import { expect, it } from "vitest";
import type { Figures, OurFigures } from "./figures.ts";
import { toRow } from "./report.ts";

/** Figures of an index with look-ups of `micros` µs and rates of `rate`. */
function figures(micros: number, rate: number, hitBlocks = 5): Figures {
  const finds = { p50_us: micros, p99_us: 10 * micros, max_us: 100 * micros, hit_blocks: hitBlocks };
  return {
    growing: finds,
    full: finds,
    stores_per_s: rate,
    removes_per_s: rate,
    bytes_per_pair: micros,
    peak_bytes: 1,
  };
}

const ours = (micros: number, rate: number): OurFigures => ({
  ...figures(micros, rate),
  decide: { p50_us: 2 * micros, p99_us: 20 * micros },
  decide_full: { p50_us: 2 * micros, p99_us: 20 * micros },
  stores_growing_per_s: rate / 2,
  stores_from_tokens_per_s: rate / 3,
});

it("compares with the best peer in each figure", () => {
  const peers = [
    { name: "slow look-ups", ...figures(8, 20) },
    { name: "slow stores", ...figures(4, 10) },
  ];
  expect(toRow(8, [{ ours: ours(1, 30), peers }]).ratios).toEqual({
    growing: { p50: 4, p99: 4 },
    full: { p50: 4, p99: 4 },
    decide: { p50: 0.5, p99: 0.5 },
    decide_full: { p50: 0.5, p99: 0.5 },
    stores: 1.5,
    stores_growing: 0.75,
    removes: 1.5,
    bytes: 0.25,
  });
});

it("shows medians over the rounds, including those of ratios", () => {
  const rounds = [1, 2, 3].map((micros) => ({
    ours: ours(micros, 10),
    peers: [{ name: "peer", ...figures(12, 10) }],
  }));
  const row = toRow(8, rounds);
  expect(row.ours.growing.p50_us).toBe(2);
  expect(row.ratios?.growing.p50).toBe(6);
});

it("has no ratios without peers", () => {
  expect(toRow(8, [{ ours: ours(1, 1), peers: [] }])).toMatchObject({ peers: [], ratios: null });
});

it("rejects indexes that find different blocks", () => {
  const peers = [{ name: "peer", ...figures(1, 1, 4) }];
  expect(() => toRow(8, [{ ours: ours(1, 1), peers }])).toThrow("do not find the same blocks");
});
