/** For tests: random events of workers that share prefixes. */
import fc from "fast-check";
import { expect } from "vitest";
import type { Router, RouterOptions, Tier } from "./index.ts";
import { newRouter } from "./test-router.ts";

/** Ten workers may send the events. */
export const OPTIONS: RouterOptions = { blockSize: 2, maxWorkers: 12, maxBlocks: 100_000 };

/** An event of one of ten workers. */
export interface Event {
  type: "stored" | "removed" | "copied" | "cleared" | "left";
  worker: number;
  /** Symbols of a path, each repeated `length` times. */
  path: { symbol: number; length: number }[];
  from: number;
  count: number;
  /** Hashes from the content, from the content and the worker, or from a few numbers. */
  naming: "shared" | "own" | "tiny";
  tier: Tier;
}

/** Any event. */
export const event: fc.Arbitrary<Event> = fc.record({
  type: fc.constantFrom(
    "stored",
    "stored",
    "stored",
    "stored",
    "removed",
    "removed",
    "copied",
    "cleared",
    "left",
  ),
  worker: fc.nat(9),
  path: fc.array(fc.record({ symbol: fc.nat(2), length: fc.integer({ min: 1, max: 40 }) }), {
    minLength: 1,
    maxLength: 3,
  }),
  from: fc.oneof(fc.constant(0), fc.nat(60)),
  count: fc.integer({ min: 1, max: 60 }),
  naming: fc.constantFrom("shared", "shared", "own", "tiny"),
  tier: fc.constantFrom<Tier>("device", "device", "device", "host", "disk", "shared"),
});

/** Applies an event, with the hashes of its own worker, to a worker of the router (the same unless told). */
export function apply(router: Router, event: Event, worker = event.worker): void {
  const { type, path, from, count, naming, tier } = event;
  const symbols = path.flatMap(({ symbol, length }) => Array<number>(length).fill(symbol));
  let name = naming === "own" ? BigInt(event.worker + 2) : 1n;
  const names = BigUint64Array.from(symbols, (symbol) => {
    name = BigInt.asUintN(64, name * 0x5851f42d4c957f2dn + BigInt(symbol) + 1n);
    return naming === "tiny" ? name % 11n : name;
  });
  const first = from % symbols.length;
  const tokens = new Uint32Array((symbols.length - first) * 2).map((_, i) => symbols[first + (i >> 1)]!);
  const parent = first > 0 ? names[first - 1] : undefined;
  if (type === "stored") router.applyStored(worker, names.slice(first), parent, tokens, { tier });
  else if (type === "removed") router.applyRemoved(worker, names.slice(first, first + count), tier);
  else if (type === "copied") router.applyCopied(worker, names.slice(first), tier);
  else if (type === "cleared") router.clearWorker(worker);
  else {
    router.removeWorker(worker);
    expect(router.addWorker()).toBe(worker);
  }
}

/** A router with ten workers. */
export function withWorkers(): Router {
  const router = newRouter(OPTIONS);
  for (let i = 0; i < 10; i++) router.addWorker();
  return router;
}
