// Counters and gauges, f64 each so that the host reads them from one array. The order is the host's too
// (`router-wasm/core.ts`).

export const STATS: usize = memory.data(16 * 8, 8);

export const BLOCKS: usize = 0;
export const STORED_BLOCKS: usize = 8;
export const RUNS: usize = 16;
export const BOOKINGS: usize = 24;
export const DECISIONS: usize = 32;
export const UNBOOKED_DECISIONS: usize = 40;
export const STALE_BOOKINGS: usize = 48;
export const IGNORED_EVENTS: usize = 56;
export const UNKNOWN_REMOVALS: usize = 64;
export const FORGOTTEN_BLOCKS: usize = 72;
export const REFUSED_BLOCKS: usize = 80;

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
