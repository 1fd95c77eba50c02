import { RECENT_PREFILL_SHARE } from "#gateway";
import { DEFAULT_WEIGHTS } from "#router-wasm";
import { seededRandom } from "#runtime";
import { H100_8B } from "#workers";
import { SHAPE } from "../trace/cases.ts";
import type { Simulation } from "../trace/simulation.ts";
import { readTrace, type TraceRequest } from "../trace/trace.ts";

/** How requests arrive: at the trace's own times, multiples of three seconds, or spread over these. */
export type Arrival = "bursts" | "spread";

/** How gateways deal with each other. */
export type Sharing =
  /** As Stator does: they tell each other their bookings, and prefer their own shares of the workers. */
  | "told, own shares"
  /** They only tell each other, as Dynamo's routers do. */
  | "told"
  /** They know nothing of each other. */
  | "silent";

/** How the first gateway is replaced in the middle of the trace: not, by one that takes over, or by one that does not. */
export type Start = "not replaced" | "warm" | "cold";

export interface ReplicaCase {
  readonly gateways: number;
  readonly arrival: Arrival;
  readonly sharing: Sharing;
  /** Default: events. */
  readonly knowledge?: "events" | "predictions";
  /** Default: not replaced. */
  readonly start?: Start;
}

export const WORKERS = 16;
/** Times after the middle of the trace for which the hit rate is reported, in minutes. */
export const WINDOW_MINUTES = [1, 5];
/** The trace's times are rounded to this. */
const BURST_MS = 3_000;
/** How long it takes to tell another gateway: a turn of the event loop, and a network. */
const SHARE_DELAY_MS = 5;

export function simulationOf(
  { gateways, arrival, sharing, knowledge = "events", start = "not replaced" }: ReplicaCase,
  { minutes, trace }: { readonly minutes: number; readonly trace: string },
): Simulation {
  const requests = readTrace(trace).filter(({ arrivalMs }) => arrivalMs < minutes * 60_000);
  return {
    trace: arrival === "bursts" ? requests : spread(requests),
    workers: WORKERS,
    policy: "kv",
    knowledge,
    windows: WINDOW_MINUTES.map((window) => ({
      fromMs: (minutes / 2) * 60_000,
      toMs: (minutes / 2 + window) * 60_000,
    })),
    ...(start !== "not replaced" && { replacement: { atMs: (minutes / 2) * 60_000, start } }),
    predictionSeconds: 600,
    gateways,
    ...(sharing !== "silent" && { shareDelayMs: SHARE_DELAY_MS }),
    ...(sharing === "told, own shares" &&
      gateways > 1 && {
        prefersOwnShare: true,
        weights: { recentPrefillWeight: DEFAULT_WEIGHTS.recentPrefillWeight * RECENT_PREFILL_SHARE },
      }),
    shape: SHAPE,
    timing: H100_8B,
    ttftSlaMs: 2_000,
    itlSlaMs: 50,
  };
}

function spread(requests: readonly TraceRequest[]): TraceRequest[] {
  const random = seededRandom(3);
  return requests
    .map((request) => ({ ...request, arrivalMs: request.arrivalMs + random() * BURST_MS }))
    .sort((one, other) => one.arrivalMs - other.arrivalMs);
}
