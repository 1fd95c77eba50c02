import { readFileSync } from "node:fs";
import { compileRouter, createRouter, type Router, type RouterOptions } from "#router-wasm";
import { BLOCK_SIZE, buildWorkload, type Workload } from "./workload.ts";

const module = await compileRouter(readFileSync(new URL("../../router-wasm/router.wasm", import.meta.url)));

/** A router with this many workers. */
export function newRouter(workers: number, options?: Partial<RouterOptions>): Router {
  const router = createRouter(module, { blockSize: BLOCK_SIZE, maxWorkers: workers, ...options });
  for (let worker = 0; worker < workers; worker++) router.addWorker();
  return router;
}

/** Prepares a trace for replay, with hashes from the router. */
export function prepare(trace: readonly (readonly number[])[], blocksPerStep?: number): Workload {
  const router = newRouter(1);
  const hash = (tokens: Uint32Array) => {
    router.tokenBuffer(tokens.length).set(tokens);
    return router.hashPrompt(tokens.length);
  };
  return buildWorkload(trace, hash, blocksPerStep);
}
