import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Returns memory that only start-up needed, about 10 MB. Takes 20 to 40 milliseconds, so call it once, after start-up.
 * Does nothing on Deno and Bun, which manage this themselves.
 */
export function settleHeap(): void {
  if ("Deno" in globalThis || "Bun" in globalThis) return;
  setFlagsFromString("--expose-gc");
  const collect: (options: object) => void = runInNewContext("gc");
  // No other flavor shrinks the young generation.
  collect({ type: "major", execution: "sync", flavor: "last-resort" });
  keepCode();
}

/**
 * Turns off V8's memory reducer, which collects everything after some idle seconds, including the compiled code of the
 * request path. The next requests would wait for recompilation and cost a quarter more CPU. So memory that load has taken
 * is kept.
 */
function keepCode(): void {
  setFlagsFromString("--memory-reducer-gc-count=0");
}
