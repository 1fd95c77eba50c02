import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "#runtime";

/** Steps in which the simulated loading reports progress. */
const PARTS = 10;

/** Simulates the time to load a model, and logs progress. */
export async function simulateLoading(seconds: number, log: Logger): Promise<void> {
  if (seconds === 0) return;
  for (let part = 0; part < PARTS; part++) {
    log.info("loading the model", { percent: (100 * part) / PARTS });
    await sleep((seconds * 1000) / PARTS);
  }
}
