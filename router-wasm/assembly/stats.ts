// Counters and gauges, as f64, so that the host reads them from one array. The host uses the same order
// (`router-wasm/core.ts`).

export const STATS: usize = memory.data(16 * 8, 8);

export const BLOCKS: usize = 0;
export const STORED_BLOCKS: usize = 8;
// Followed by those predicted, in host memory, on disk and in the pool, in the order of the kinds.
export const RUNS: usize = 48;
export const BOOKINGS: usize = 56;
export const DECISIONS: usize = 64;
export const UNBOOKED_DECISIONS: usize = 72;
export const STALE_BOOKINGS: usize = 80;
export const IGNORED_EVENTS: usize = 88;
export const UNKNOWN_REMOVALS: usize = 96;
export const FORGOTTEN_BLOCKS: usize = 104;
export const REFUSED_BLOCKS: usize = 112;

// @ts-ignore: decorator
@inline
export function count(stat: usize, by: f64 = 1): void {
  store<f64>(STATS + stat, load<f64>(STATS + stat) + by);
}

// @ts-ignore: decorator
@inline
export function stat(stat: usize): f64 {
  return load<f64>(STATS + stat);
}
