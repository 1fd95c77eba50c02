import type { PolicyName } from "#gateway";
import type { CostWeights } from "#router-wasm";
import type { StepTiming } from "#workers";
import type { WorkerShape } from "./simulated-worker.ts";
import type { TraceRequest } from "./trace.ts";

/** What is simulated. */
export interface Simulation {
  trace: readonly TraceRequest[];
  workers: number;
  policy: PolicyName;
  /** Gateways that the requests come to in turn, each of which knows of its own requests alone; default 1. */
  gateways?: number;
  /** Whether each gateway prefers the workers of its own share. */
  prefersOwnShare?: boolean;
  /** Where the router's knowledge of caches comes from: the workers' events, what it sent to them, or nowhere. */
  knowledge: "events" | "predictions" | "none";
  /** How long a worker is predicted to hold what it was sent. */
  predictionSeconds: number;
  weights?: Partial<CostWeights>;
  shape: WorkerShape;
  timing: StepTiming;
  /** A first token within this time and … */
  ttftSlaMs: number;
  /** … tokens no further apart on average make a request good. */
  itlSlaMs: number;
}
