import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "#runtime";

/** Parts in which the simulated loading reports its progress. */
const PARTS = 10;

/** Takes as long as an engine would to load its model, and says how far it has come. */
export async function startUp(seconds: number, log: Logger): Promise<void> {
  if (seconds === 0) return;
  for (let part = 0; part < PARTS; part++) {
    log.info("loading the model", { percent: (100 * part) / PARTS });
    await sleep((seconds * 1000) / PARTS);
  }
}
