/** A thread of `npm run bench:trace`, which simulates rows of tables one after the other. */
import { readFileSync } from "node:fs";
import { routerWasm } from "#cli";
import { compileRouter } from "#router-wasm";
import { type Replay, requestsOf, simulationOf } from "./cases.ts";
import type { TraceOptions } from "./options.ts";
import { type SimulationResult, simulate } from "./simulate.ts";
import { serveJobs } from "./threads.ts";

export interface Job {
  row: string;
  replay: Replay;
}

await serveJobs<TraceOptions, Job, SimulationResult>(async (options) => {
  const module = await compileRouter(readFileSync(routerWasm));
  return ({ row, replay }) =>
    simulate(module, simulationOf(row, requestsOf(replay, options.trace), replay.workers, options));
});
