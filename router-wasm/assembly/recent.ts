// Prefill that each worker took lately. It tells what waiting prefill cannot: which caches fill up, also while workers
// are idle between requests. Each tick of the clock takes its share away from all.
import { take } from "./memory";
import { add, workerCount } from "./workers";

/** f64 per worker: prompt tokens booked for prefill, less the older they are. */
export let recentPrefill: usize = 0;

/** What a tick leaves of it. */
let kept: f64 = 0;
let now: u32 = 0;

export function initRecent(maxWorkers: u32): bool {
  recentPrefill = take((<usize>maxWorkers + 1) << 3);
  return recentPrefill != 0;
}

export function keepRecent(share: f64): void {
  kept = share;
}

// @ts-ignore: decorator
@inline
export function addRecent(w: u32, tokens: f64): void {
  add(recentPrefill, w, tokens);
}

export function forgetRecent(w: u32): void {
  store<f64>(recentPrefill + (w << 3), 0);
}

/** It is this tick now. */
export function passRecent(tick: u32): void {
  if (tick <= now) return;
  const share = power(kept, tick - now);
  now = tick;
  for (let i: usize = 0; i < <usize>workerCount << 3; i += 8) {
    const left = load<f64>(recentPrefill + i) * share;
    // Ends what would go on as ever smaller numbers, with which sums are slow.
    store<f64>(recentPrefill + i, left < 0.5 ? 0 : left);
  }
}

/** By squaring, so that it is the same to the bit wherever it is worked out so. */
function power(base: f64, exponent: u32): f64 {
  let result: f64 = 1;
  for (; exponent; exponent >>= 1) {
    if (exponent & 1) result *= base;
    base *= base;
  }
  return result;
}
