import { percentile } from "../gateway/statistics.ts";
import { newRouter, prepare } from "./core.ts";
import { growTrace } from "./grown-trace.ts";
import { Replay } from "./replay.ts";
import { BLOCKS_PER_STEP, type Workload } from "./workload.ts";

export interface Pauses {
  /** Distinct blocks, stored in this many calls. */
  blocks: number;
  calls: number;
  max_us: number;
  p9999_us: number;
  /** How many blocks the longest call stored, and how many had been stored before it. */
  longest: { blocks: number; before: number };
  /** The longest interruption of a loop that only reads the clock, for the same time. */
  idle_max_us: number;
}

const BLOCKS = 10_000_000;
const WORKERS = 64;
const WARM_UP_REQUESTS = 1500;

/** Stores ten million blocks, in one event per request of the trace, in an index that grows. */
export function measurePauses(trace: readonly (readonly number[])[]): Pauses {
  const workload = prepare(growTrace(trace, BLOCKS));
  workload.assign(WORKERS);
  store(workload, WARM_UP_REQUESTS);
  const times = store(workload, workload.requests);
  const longest = times.indexOf(times.reduce((most, time) => Math.max(most, time), 0));
  const start = workload.ends[longest - 1] ?? 0;
  return {
    blocks: workload.distinctBlocks,
    calls: workload.requests,
    max_us: times[longest]! * 1000,
    p9999_us: percentile([...times], 0.9999) * 1000,
    longest: {
      blocks: (workload.ends[longest]! - start) * BLOCKS_PER_STEP,
      before: start * BLOCKS_PER_STEP,
    },
    idle_max_us: idleMax(times.reduce((sum, time) => sum + time, 0)) * 1000,
  };
}

const store = (workload: Workload, requests: number) =>
  new Replay(workload, requests).stores(newRouter(WORKERS, { maxBlocks: 2 ** 24 }), "hashes");

/** The longest step of a loop that only reads the clock. */
function idleMax(milliseconds: number): number {
  const end = performance.now() + milliseconds;
  let longest = 0;
  for (let last = performance.now(); last < end; ) {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }
  return longest;
}

export function formatPauses({ blocks, calls, max_us, p9999_us, longest, idle_max_us }: Pauses): string {
  return [
    `${(blocks / 1e6).toFixed(1)} million blocks in ${calls} events of the trace's sizes, into an index that grows`,
    `longest call ${max_us.toFixed(0)} µs, p99.99 ${p9999_us.toFixed(0)} µs; the longest stored ${longest.blocks} blocks after ${longest.before}`,
    `longest interruption of a loop that only reads the clock, for the same time: ${idle_max_us.toFixed(0)} µs`,
    "",
  ].join("\n");
}
