import { createHash } from "node:crypto";
import { availableParallelism, loadavg } from "node:os";

/** How long the work below takes on a core of a small machine that has nothing else to do. */
const QUIET_MS = 10;

/**
 * How many times as long as on a quiet machine something takes on this one now: for as long as a piece of work takes
 * here, and as many more as run beside the tests themselves. A whole number from 1 to 10.
 */
export function stall(): number {
  const started = performance.now();
  const hash = createHash("sha256");
  for (let piece = 0; piece < 16; piece++) hash.update(WORK);
  hash.digest();
  const speed = (performance.now() - started) / QUIET_MS;
  const crowd = loadavg()[0]! / (OWN_LOAD * availableParallelism());
  return Math.round(Math.min(Math.max(1, speed, crowd), 10));
}

/** How many of the tests' own processes want each core at a time. */
const OWN_LOAD = 2;

const WORK = new Uint8Array(2 ** 20);
