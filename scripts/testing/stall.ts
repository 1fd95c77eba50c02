import { createHash } from "node:crypto";
import { availableParallelism, loadavg } from "node:os";

/** How long the work below takes on an idle core of a small machine. */
const QUIET_MS = 10;

/** Tests ask often; a measurement holds for this long. */
const HOLDS_MS = 5_000;

let measuredAt = Number.NEGATIVE_INFINITY;
let speed = 1;

/**
 * How many times slower this machine is now than an idle one, judging by the duration of a piece of work and the load
 * average. An integer from 1 to 10.
 */
export function stall(): number {
  if (performance.now() - measuredAt > HOLDS_MS) measure();
  const crowd = loadavg()[0]! / (OWN_LOAD * availableParallelism());
  return Math.round(Math.min(Math.max(1, speed, crowd), 10));
}

function measure(): void {
  const started = performance.now();
  const hash = createHash("sha256");
  for (let piece = 0; piece < 16; piece++) hash.update(WORK);
  hash.digest();
  measuredAt = performance.now();
  speed = (measuredAt - started) / QUIET_MS;
}

/** Load per core that the tests themselves cause. */
const OWN_LOAD = 2;

const WORK = new Uint8Array(2 ** 20);
