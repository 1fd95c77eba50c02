import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Gives back the memory that a start has needed and nothing needs any more, some 10 MB: takes 20 to 40 milliseconds, so
 * that it is for once, when a start is over. Other runtimes than Node see to that themselves.
 */
export function settleHeap(): void {
  if ("Deno" in globalThis || "Bun" in globalThis) return;
  setFlagsFromString("--expose-gc");
  const collect: (options: object) => void = runInNewContext("gc");
  // No other flavour shrinks what young objects have had.
  collect({ type: "major", execution: "sync", flavor: "last-resort" });
  keepCode();
}

/**
 * Has V8 no longer collect everything that it can when nothing happens for some seconds: with it goes the compiled code of
 * the requests' path, and those who come next wait for it to be made again, at a quarter more CPU. What load has taken of
 * memory is therefore kept.
 */
function keepCode(): void {
  setFlagsFromString("--memory-reducer-gc-count=0");
}
