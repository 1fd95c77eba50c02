import type { PolicyName } from "#gateway";
import type { CostWeights } from "#router-wasm";
import type { StepTiming } from "#workers";
import type { WorkerShape } from "./simulated-worker.ts";
import type { TraceRequest } from "./trace.ts";

/** A gateway is replaced in the middle of the trace; the old one only completes its requests. */
export interface Replacement {
  readonly atMs: number;
  /** What the new one knows of caches at first: what the old one knew, or nothing. */
  readonly start: "warm" | "cold";
}

/** Parameters of a simulation. */
export interface Simulation {
  trace: readonly TraceRequest[];
  workers: number;
  policy: PolicyName;
  /** Number of gateways that get the requests in turn, each of which only knows its own; default 1. */
  gateways?: number;
  /** After how many milliseconds each gateway learns what the others have booked; undefined: never. */
  shareDelayMs?: number;
  /** Whether each gateway prefers the workers of its own share. */
  prefersOwnShare?: boolean;
  /** Replaces the first gateway. */
  replacement?: Replacement;
  /** Reports the hit rate of the requests that arrive in these times too. */
  windows?: readonly { readonly fromMs: number; readonly toMs: number }[];
  /** Source of the router's knowledge of caches: workers' events, predictions from its own requests, or none. */
  knowledge: "events" | "predictions" | "none";
  /** How long a prompt is predicted to stay cached. */
  predictionSeconds: number;
  weights?: Partial<CostWeights>;
  shape: WorkerShape;
  timing: StepTiming;
  /** A request is good if its time to first token is at most this, and … */
  ttftSlaMs: number;
  /** … the average time between its tokens at most this. */
  itlSlaMs: number;
}
