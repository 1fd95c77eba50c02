/** A thread of `npm run bench:disagg`, which simulates one case after the other. */
import { readFileSync } from "node:fs";
import { routerWasm } from "#cli";
import { compileRouter } from "#router-wasm";
import { H100_8B } from "#workers";
import { requestsOf } from "../trace/cases.ts";
import { serveJobs } from "../trace/threads.ts";
import type { Case } from "./cases.ts";
import type { DisaggOptions } from "./options.ts";
import { type DisaggResult, simulateDisagg } from "./simulate.ts";

await serveJobs<DisaggOptions, Case, DisaggResult>(async (options) => {
  const module = await compileRouter(readFileSync(routerWasm));
  return ({ pools, copies, shape, disaggregation }) => {
    const { trace: path, minutes, bandwidth, ttftSlaMs, itlSlaMs } = options;
    const workers = pools.aggregated + pools.prefill + pools.decode;
    const trace = requestsOf({ workers, copies, minutes }, path);
    const transfer = { latencyMs: 1, bytesPerToken: BYTES_PER_TOKEN, bandwidth };
    const simulation = { trace, pools, shape, timing: H100_8B, disaggregation, transfer };
    return simulateDisagg(module, simulation, { ttftMs: ttftSlaMs, tpotMs: itlSlaMs });
  };
});

/** KV of a token of an 8-billion-parameter model: 2 × 32 layers × 8 heads × 128 × 2 bytes. */
const BYTES_PER_TOKEN = 131_072;
