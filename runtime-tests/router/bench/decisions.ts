/** Measures how fast the router decides on this host. Uses web standards only. */
import { compileRouter, createRouter } from "../../../router-wasm/index.ts";

const BLOCK_SIZE = 16;
const BLOCKS = 512;
const WORKERS = 8;

/** Length of the prompt, which every second worker holds. */
export const TOKENS = BLOCKS * BLOCK_SIZE;

export interface Speed {
  /** Milliseconds from the module's bytes to the first decision, with an empty index: compile, instantiate, decide. */
  firstMs: number;
  /** Microseconds for one decision with optimised code, including copying and hashing the tokens. */
  steadyUs: number;
}

/** Takes about three seconds. */
export async function measureDecisions(bytes: BufferSource): Promise<Speed> {
  const prompt = Uint32Array.from({ length: TOKENS }, (_, i) => (i * 2_654_435_761) >>> 0);
  const started = performance.now();
  const router = createRouter(await compileRouter(bytes), { blockSize: BLOCK_SIZE });
  for (let i = 0; i < WORKERS; i++) router.addWorker();
  const decide = () => {
    router.tokenBuffer(TOKENS).set(prompt);
    return router.decide({ tokenCount: TOKENS, policy: "kv", random: 0.5 });
  };
  router.free(decide().booking);
  const firstMs = performance.now() - started;
  const hashes = BigUint64Array.from({ length: BLOCKS }, (_, i) => BigInt(i + 1));
  for (let worker = 0; worker < WORKERS; worker += 2) router.applyStored(worker, hashes, undefined, prompt);
  const time = (decisions: number) => {
    const from = performance.now();
    for (let i = 0; i < decisions; i++) {
      const { booking, overlapBlocks } = decide();
      if (overlapBlocks !== BLOCKS)
        throw new Error(`The decision found ${overlapBlocks} of ${BLOCKS} blocks.`);
      router.free(booking);
    }
    return ((performance.now() - from) / decisions) * 1000;
  };
  time(100_000);
  const rounds = Array.from({ length: 21 }, () => time(10_000)).sort((a, b) => a - b);
  return { firstMs, steadyUs: rounds[10]! };
}
