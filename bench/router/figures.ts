import { z } from "zod";

/** Microseconds. */
const Times = z.object({ p50_us: z.number(), p99_us: z.number() });

/** Look-ups of all requests; `hit_blocks` is the sum of the blocks that the best worker has for each. */
const Finds = Times.extend({ max_us: z.number(), hit_blocks: z.number() });

/** Measurements of every index. */
export const Figures = z.object({
  /** Each request is looked up, then stored. */
  growing: Finds,
  /** Each request is looked up after all are stored. */
  full: Finds,
  /** Blocks per second. */
  stores_per_s: z.number(),
  removes_per_s: z.number(),
  /** Memory of the full index per distinct (block, worker) pair. */
  bytes_per_pair: z.number(),
  /** Peak memory while it grew. */
  peak_bytes: z.number(),
});

export const OurFigures = Figures.extend({
  /** Each request gets a decision from its token ids, then is stored. */
  decide: Times,
  /** Each request gets a decision after all are stored. */
  decide_full: Times,
  /** With a hash table that grows; in `stores_per_s`, it is preallocated for all blocks. */
  stores_growing_per_s: z.number(),
  /** From token ids, which the index hashes itself; the other figures, as the peers', are from hashes. */
  stores_from_tokens_per_s: z.number(),
});

export type Times = z.infer<typeof Times>;
export type Finds = z.infer<typeof Finds>;
export type Figures = z.infer<typeof Figures>;
export type OurFigures = z.infer<typeof OurFigures>;
export type PeerFigures = { name: string } & Figures;

/** Ours compared with the best peer in each figure. */
export interface Ratios {
  /** Times faster. */
  growing: Quantiles;
  full: Quantiles;
  /** Our decision's time as a share of the peer's look-up's, while the index grows and when it is full. */
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

/** Ours and the peers, at one number of workers. */
export interface Row {
  workers: number;
  ours: OurFigures;
  peers: PeerFigures[];
  /** Null if no peer was measured. */
  ratios: Ratios | null;
}
