import type { Router } from "#router-wasm";
import { newRouter } from "./core.ts";

export interface Churn {
  block_events: number;
  seconds: number;
  /** Memory once all held sequences have been replaced four times, and then after each tenth of the run. */
  bytes: number[];
  /** Memory after everything was removed and the same amount stored again. */
  reused_bytes: number;
}

const WORKERS = 64;
/** Blocks of a sequence: a prefix shared with others of its worker, and its own. */
const PREFIX = 32;
const MOST_OWN = 512;
/** How many sequences are held at the same time. */
const WINDOW = 4096;

/**
 * Stores sequences and removes the oldest, until this many blocks have been stored or removed.
 * @throws Error if anything is left at the end
 */
export function churn(blockEvents: number, onProgress: (text: string) => void): Churn {
  const router = newRouter(WORKERS, { maxBlocks: 8_000_000 });
  const window = new Window(router);
  const start = performance.now();
  let events = 0;
  const bytes: number[] = [];
  let shown = 0;
  for (let turn = 0; events < blockEvents; turn++) {
    events += window.turn();
    const isTenth = bytes.length > 0 && events >= (bytes.length * blockEvents) / 10;
    if (turn === 4 * WINDOW || isTenth) bytes.push(router.stats().memoryBytes);
    if (events - shown < 1e6) continue;
    shown = events;
    onProgress(`${Math.floor(events / 1e6)} million block events`);
  }
  const seconds = (performance.now() - start) / 1000;
  window.empty();
  const { blocks, storedBlocks, unknownRemovals, ignoredEvents } = router.stats();
  const left = { blocks, storedBlocks, unknownRemovals, ignoredEvents };
  if (Object.values(left).some((count) => count > 0))
    throw new Error(`Some state is left: ${JSON.stringify(left)}`);
  for (let turn = 0; turn < WINDOW; turn++) window.turn();
  return {
    block_events: events,
    seconds,
    bytes,
    reused_bytes: router.stats().memoryBytes,
  };
}

/** The held sequences, in the order in which they were stored. */
class Window {
  readonly #router: Router;
  readonly #held: { worker: number; hashes: BigUint64Array }[] = [];
  #next = 1;

  constructor(router: Router) {
    this.#router = router;
  }

  /** Stores a sequence, and removes the oldest if the window is full. @returns the blocks stored and removed */
  turn(): number {
    const number = this.#next++;
    const worker = number % WORKERS;
    const own = 1 + ((Math.imul(number, 0x9e3779b1) >>> 23) % MOST_OWN);
    const hashes = hashesFrom(2 ** 40 + number * MOST_OWN * 2, own);
    const prefix = hashesFrom(1 + worker * PREFIX, PREFIX);
    let events = this.#router.applyHashed(worker, prefix, undefined, prefix);
    events += this.#router.applyHashed(worker, hashes, prefix[PREFIX - 1]!, hashes);
    const slot = number % WINDOW;
    const oldest = this.#held[slot];
    if (oldest !== undefined) events += this.#router.applyRemoved(oldest.worker, oldest.hashes);
    this.#held[slot] = { worker, hashes };
    return events;
  }

  empty(): void {
    for (const { worker, hashes } of this.#held.splice(0).filter(Boolean))
      this.#router.applyRemoved(worker, hashes);
    for (let worker = 0; worker < WORKERS; worker++)
      this.#router.applyRemoved(worker, hashesFrom(1 + worker * PREFIX, PREFIX));
  }
}

/** Different numbers have different hashes. */
const hashesFrom = (first: number, count: number) =>
  BigUint64Array.from({ length: count }, (_, i) =>
    BigInt.asUintN(64, BigInt(first + i) * 0x9e3779b97f4a7c15n),
  );

export function formatChurn({ block_events, seconds, bytes, reused_bytes }: Churn): string {
  const mega = (bytes: number) => (bytes / 1e6).toFixed(2);
  return [
    `${(block_events / 1e6).toFixed(0)} million blocks stored and removed in ${seconds.toFixed(0)} s, including their generation`,
    `memory in MB after replacing everything four times, then after each tenth: ${bytes.map(mega).join(" ")}`,
    "nothing was left after everything was removed;",
    `${mega(reused_bytes)} MB after storing the same amount again`,
    "",
  ].join("\n");
}
