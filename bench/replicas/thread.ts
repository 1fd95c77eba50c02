/** A thread of `npm run bench:replicas`, which simulates gateways. */
import { readFileSync } from "node:fs";
import { routerWasm } from "#cli";
import { compileRouter } from "#router-wasm";
import type { SimulationResult } from "../trace/simulate.ts";
import { simulate } from "../trace/simulate.ts";
import { serveJobs } from "../trace/threads.ts";
import { type ReplicaCase, simulationOf } from "./cases.ts";

await serveJobs<{ minutes: number; trace: string }, ReplicaCase, SimulationResult>(async (setup) => {
  const module = await compileRouter(readFileSync(routerWasm));
  return (replica) => simulate(module, simulationOf(replica, setup));
});
