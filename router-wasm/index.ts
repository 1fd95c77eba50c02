/**
 * The KV-aware router. The core runs in WebAssembly, and its host needs only web standards, so it works in Node,
 * Deno, Bun, workerd and browsers.
 *
 * @example
 * const module = await compileRouter(await readFile("router-wasm/router.wasm"));
 * const router = createRouter(module, { blockSize: 16 });
 * const worker = router.addWorker();
 * router.tokenBuffer(prompt.length).set(prompt);
 * const { booking } = router.decide({ tokenCount: prompt.length, policy: "kv", random: Math.random() });
 * router.firstToken(booking);
 * router.free(booking);
 */
export { RouterError, type RouterErrorCode } from "./errors.ts";
export { HASH_KEY_BYTES, KvHasher } from "./kv-hasher.ts";
export { DEFAULT_WEIGHTS, DYNAMO_WEIGHTS } from "./options.ts";
export { compileRouter, createRouter, restoreRouter } from "./router.ts";
export type {
  AddedLoad,
  BlockExtras,
  BlockHashes,
  CandidateCost,
  CostTerms,
  CostWeights,
  DecideOptions,
  Decision,
  EventBatch,
  EventOptions,
  HashOptions,
  LoadLimits,
  MediaHashes,
  Policy,
  PredictionOptions,
  Router,
  RouterOptions,
  RouterStats,
  Salt,
  Tier,
  WorkerLoad,
} from "./types.ts";
