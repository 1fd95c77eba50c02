/** For tests: the core, rebuilt if necessary before the first test of a file. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { compileRouter, createRouter, type Router, type RouterOptions } from "./index.ts";

execFileSync(process.execPath, [fileURLToPath(new URL("../scripts/build-wasm.mjs", import.meta.url))]);
export const routerModule = await compileRouter(readFileSync(new URL("router.wasm", import.meta.url)));

export function newRouter(options: RouterOptions): Router {
  return createRouter(routerModule, options);
}

/** `blocks` blocks of token ids that no other `content` has. */
export function tokensOf(content: number, blocks: number, blockSize: number): Uint32Array {
  return Uint32Array.from({ length: blocks * blockSize }, (_, i) => content * 1_000_003 + i);
}

/** Engine hashes `first`, `first` + 1, … */
export function hashesFrom(first: number, blocks: number): BigUint64Array {
  return BigUint64Array.from({ length: blocks }, (_, i) => BigInt(first + i));
}
