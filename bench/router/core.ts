import { readFileSync } from "node:fs";
import { compileRouter, createRouter, type Router, type RouterOptions } from "#router-wasm";
import { BLOCK_SIZE, buildWorkload, TOKENS_PER_STEP, type Workload } from "./workload.ts";

const module = await compileRouter(readFileSync(new URL("../../router-wasm/router.wasm", import.meta.url)));

/** A router with so many workers. */
export function newRouter(workers: number, options?: Partial<RouterOptions>): Router {
  const router = createRouter(module, { blockSize: BLOCK_SIZE, maxWorkers: workers, ...options });
  for (let worker = 0; worker < workers; worker++) router.addWorker();
  return router;
}

/** A trace made ready for replay, with hashes by the router. */
export function prepare(trace: readonly (readonly number[])[]): Workload {
  const router = newRouter(1);
  return buildWorkload(trace, (tokens) => {
    router.tokenBuffer(TOKENS_PER_STEP).set(tokens);
    return router.hashPrompt(TOKENS_PER_STEP);
  });
}
