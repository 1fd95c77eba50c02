/**
 * A process that replays a workload on our router and prints the figures as JSON. It runs the same passes in the same
 * order on the same hashes as `peer/src/main.rs`, plus some with token ids.
 *
 *     node bench/router/ours.ts WORKLOAD
 */
import { readFileSync } from "node:fs";
import type { Router } from "#router-wasm";
import * as core from "./core.ts";
import type { OurFigures } from "./figures.ts";
import { Replay } from "./replay.ts";
import { Workload } from "./workload.ts";

/** Enough requests for the JavaScript engine to optimise everything. */
const WARM_UP_REQUESTS = 1500;

const workload = new Workload(new Uint8Array(readFileSync(process.argv[2]!)).buffer);
measure(Math.min(WARM_UP_REQUESTS, workload.requests));
process.stdout.write(`${JSON.stringify(measure(workload.requests))}\n`);

/** All passes over the first `requests` requests. */
function measure(requests: number): OurFigures {
  const replay = new Replay(workload, requests);
  const router = newRouter(0);
  const growing = replay.finds(router, true);
  const full = replay.finds(router, false);
  const decideFull = replay.decisions(router, false);
  const { memoryBytes } = router.stats();
  const removing = replay.removals(router);
  const gone = replay.finds(router, false);
  if (requests === workload.requests && gone.hit_blocks > 0) throw new Error("Some blocks were not removed.");
  const decide = replay.decisions(newRouter(0), true);
  const rate = (times: Float64Array) => (workload.blocks * 1000) / times.reduce((sum, time) => sum + time, 0);
  return {
    growing,
    full,
    decide,
    decide_full: decideFull,
    stores_per_s: rate(replay.stores(newRouter(workload.distinctBlocks), "hashes")),
    stores_growing_per_s: rate(replay.stores(newRouter(0), "hashes")),
    stores_from_tokens_per_s: rate(replay.stores(newRouter(workload.distinctBlocks), "tokens")),
    removes_per_s: workload.pairs / removing,
    bytes_per_pair: memoryBytes / workload.pairs,
    peak_bytes: memoryBytes,
  };
}

function newRouter(expectedBlocks: number): Router {
  return core.newRouter(workload.workers, { maxBlocks: workload.distinctBlocks, expectedBlocks });
}
