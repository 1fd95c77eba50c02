import { z } from "zod";

/** Microseconds. */
const Times = z.object({ p50_us: z.number(), p99_us: z.number() });

/** Look-ups of all requests; `hit_blocks` is the sum over them of the blocks that the best worker has. */
const Finds = Times.extend({ max_us: z.number(), hit_blocks: z.number() });

/** What every index is measured for. */
export const Figures = z.object({
  /** Each request looked up, then stored. */
  growing: Finds,
  /** Each request looked up when all are stored. */
  full: Finds,
  /** Blocks a second. */
  stores_per_s: z.number(),
  removes_per_s: z.number(),
  /** Memory of the full index for each different (block, worker). */
  bytes_per_pair: z.number(),
  /** The most memory while it grew. */
  peak_bytes: z.number(),
});

export const OurFigures = Figures.extend({
  /** Each request decided on from its token ids, then stored. */
  decide: Times,
  /** Each request decided on when all are stored. */
  decide_full: Times,
  /** With a hash table that begins small; `stores_per_s` is with one made for all blocks at once. */
  stores_growing_per_s: z.number(),
  /** From token ids, which the index hashes itself; the other figures are from hashes, as the peers'. */
  stores_from_tokens_per_s: z.number(),
});

export type Times = z.infer<typeof Times>;
export type Finds = z.infer<typeof Finds>;
export type Figures = z.infer<typeof Figures>;
export type OurFigures = z.infer<typeof OurFigures>;
export type PeerFigures = { name: string } & Figures;

/** Ours against the best peer in each. */
export interface Ratios {
  /** Times faster. */
  growing: Quantiles;
  full: Quantiles;
  /** Our decision's time as a share of the peer's find's, both while the index grows, and both when it is full. */
  decide: Quantiles;
  decide_full: Quantiles;
  /** Our rate as a multiple of the peer's. */
  stores: number;
  stores_growing: number;
  removes: number;
  /** Our memory as a share of the peer's. */
  bytes: number;
}

export interface Quantiles {
  p50: number;
  p99: number;
}

/** Ours beside the peers, at one number of workers. */
export interface Row {
  workers: number;
  ours: OurFigures;
  peers: PeerFigures[];
  /** Null where no peer was measured. */
  ratios: Ratios | null;
}
