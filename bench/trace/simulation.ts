import type { PolicyName } from "#gateway";
import type { CostWeights } from "#router-wasm";
import type { StepTiming } from "#workers";
import type { WorkerShape } from "./simulated-worker.ts";
import type { TraceRequest } from "./trace.ts";

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
