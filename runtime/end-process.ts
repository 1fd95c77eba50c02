import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";

/** Longer than V8 takes to compile a function. */
const COMPILE_MS = 25;

/**
 * Exits this process with this code, whatever is still open. First lets V8 finish background compilation and start no
 * more: a compile thread may wait for the main thread to collect garbage while `process.exit` waits for that thread, a
 * deadlock (Node 24).
 */
export async function endProcess(exitCode: number): Promise<never> {
  if (!("Deno" in globalThis || "Bun" in globalThis)) {
    setFlagsFromString("--no-maglev");
    setFlagsFromString("--no-turbofan");
    await sleep(COMPILE_MS);
  }
  process.exit(exitCode);
}
