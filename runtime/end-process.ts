import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";

/** Longer than V8 takes to compile a function. */
const COMPILE_MS = 25;

/**
 * Ends this process, whatever is still open in it, with this exit code. V8 first ends what it compiles in threads of
 * its own and begins nothing more: such a thread may wait for the main thread to collect garbage while `process.exit`
 * waits for the thread, and both would wait for ever (Node 24).
 */
export async function endProcess(exitCode: number): Promise<never> {
  if (!("Deno" in globalThis || "Bun" in globalThis)) {
    setFlagsFromString("--no-maglev");
    setFlagsFromString("--no-turbofan");
    await sleep(COMPILE_MS);
  }
  process.exit(exitCode);
}
