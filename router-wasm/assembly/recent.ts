// Each worker's recent prefill, which decays with each tick. Unlike pending prefill, it shows which caches are
// filling up even while workers are idle between requests.
import { take } from "./memory";
import { add, workerCount } from "./workers";

/** f64 per worker: prompt tokens booked for prefill, with exponential decay. */
export let recentPrefill: usize = 0;

/** The share that remains after a tick. */
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

/** Sets the current tick, and applies the decay. */
export function passRecent(tick: u32): void {
  if (tick <= now) return;
  const share = power(kept, tick - now);
  now = tick;
  for (let i: usize = 0; i < <usize>workerCount << 3; i += 8) {
    const left = load<f64>(recentPrefill + i) * share;
    // Avoids subnormal numbers, which are slow to add.
    store<f64>(recentPrefill + i, left < 0.5 ? 0 : left);
  }
}

/** Exponentiation by squaring, which the reference model can repeat to the bit. */
function power(base: f64, exponent: u32): f64 {
  let result: f64 = 1;
  for (; exponent; exponent >>= 1) {
    if (exponent & 1) result *= base;
    base *= base;
  }
  return result;
}
