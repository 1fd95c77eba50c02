// Load limits. A worker at or over one of its limits is not a candidate until its load falls below it again.
// Decisions skip all of this while no worker has a limit.
import { take } from "./memory";
import { decodeBlocks, gates, prefillTokens, workerCount } from "./workers";

/** Workers with open gates that were at or over a limit in the last decision. */
export let busyWorkers: u32 = 0;

/** f64 per worker: prefill tokens and decode blocks; +Infinity for no limit. */
let prefillLimits: usize = 0;
let decodeLimits: usize = 0;
/** f64 per worker: the gates, with those of busy workers shut too. */
let openGates: usize = 0;
/** u8: 1 for a worker with a limit. */
let limited: usize = 0;
let limitedWorkers: u32 = 0;

export function initBusy(maxWorkers: u32): bool {
  const even = (<usize>maxWorkers + 1) & ~1;
  prefillLimits = take(even << 3);
  decodeLimits = take(even << 3);
  openGates = take(even << 3);
  limited = take(maxWorkers);
  if (!limited) return false;
  for (let i: usize = 0; i < even << 3; i += 8) {
    store<f64>(prefillLimits + i, Infinity);
    store<f64>(decodeLimits + i, Infinity);
  }
  return true;
}

/** +Infinity removes a limit. */
export function limitLoad(w: u32, prefill: f64, decode: f64): void {
  store<f64>(prefillLimits + (w << 3), prefill);
  store<f64>(decodeLimits + (w << 3), decode);
  const has = prefill < Infinity || decode < Infinity;
  limitedWorkers += <u32>has - load<u8>(limited + w);
  store<u8>(limited + w, has);
}

/** The gates for one decision. If `pinned` ≥ 0, it is the only acceptable worker. Sets `busyWorkers`. */
export function shutBusy(pinned: i32): usize {
  busyWorkers = 0;
  if (!limitedWorkers) return gates;
  const end = ((<usize>workerCount + 1) & ~1) << 3;
  const shut = f64x2.splat(Infinity);
  const open = f64x2.splat(0);
  for (let i: usize = 0; i < end; i += 16) {
    const gate = v128.load(gates + i);
    const busy = v128.or(
      f64x2.ge(v128.load(prefillTokens + i), v128.load(prefillLimits + i)),
      f64x2.ge(v128.load(decodeBlocks + i), v128.load(decodeLimits + i)),
    );
    busyWorkers += popcnt(i64x2.bitmask(v128.and(busy, f64x2.eq(gate, open))));
    v128.store(openGates + i, v128.bitselect(shut, gate, busy));
  }
  if (pinned >= 0) {
    const at = <usize>pinned << 3;
    busyWorkers = at < end && load<f64>(gates + at) == 0 && load<f64>(openGates + at) != 0 ? 1 : 0;
  }
  return openGates;
}
