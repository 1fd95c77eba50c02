/** A thread of `npm run bench:multimodal`, which simulates one case after the other. */
import { readFileSync } from "node:fs";
import { routerWasm } from "#cli";
import { compileRouter } from "#router-wasm";
import { H100_8B } from "#workers";
import { serveJobs } from "../trace/threads.ts";
import type { Case } from "./cases.ts";
import type { MultimodalOptions } from "./options.ts";
import { type PictureResult, simulatePictures } from "./simulation/simulate.ts";
import { requestsOf } from "./simulation/workload.ts";

await serveJobs<MultimodalOptions, Case, PictureResult>(async (options) => {
  const module = await compileRouter(readFileSync(routerWasm));
  const { gpus, bandwidth, ttftSlaMs, itlSlaMs } = options;
  return ({ workload, routing, encoders, encode, shape }) =>
    simulatePictures(module, {
      requests: requestsOf(workload),
      routing,
      gpus,
      encoders,
      encode,
      shape,
      timing: H100_8B,
      encoderCacheTokens: shape.maxBatchedTokens,
      transfer: { latencyMs: 1, bytesPerToken: BYTES_PER_TOKEN, bandwidth },
      limits: { ttftMs: ttftSlaMs, itlMs: itlSlaMs },
    });
});

/** An embedding in 16 bits for an 8-billion-parameter model's hidden size of 4,096. */
const BYTES_PER_TOKEN = 8192;
