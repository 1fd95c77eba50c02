/**
 * An echo that evaluates a prompt only when the test releases it: the n-th request waits for the file `n` in the folder
 * GATE_FOLDER. So a test can hold prefill load for as long as it needs.
 */
import { existsSync, watch } from "node:fs";
import { join } from "node:path";
import { defineWorker, loadWorker } from "#workers";

const folder = process.env.GATE_FOLDER!;
const echo = await loadWorker("echo");

export default defineWorker({
  name: "gated",
  async open(context) {
    const engine = await echo.open(context);
    const { maxBatchedTokens = engine.card.maxBatchedTokens } = context.options;
    let arrivals = 0;
    return {
      ...engine,
      card: { ...engine.card, name: "gated", maxBatchedTokens },
      async *generate(request, signal) {
        await opened(String(++arrivals), signal);
        if (!signal.aborted) yield* engine.generate(request, signal);
      },
    };
  },
});

function opened(name: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(folder);
    const check = () => {
      if (!existsSync(join(folder, name)) && !signal.aborted) return;
      watcher.close();
      resolve();
    };
    watcher.on("change", check);
    signal.addEventListener("abort", check);
    check();
  });
}
