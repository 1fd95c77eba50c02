import type { ChildProcess } from "node:child_process";

const BEAT_MS = 1_000;

/** Tells the supervisor again and again that this process's event loop turns. */
export function beat(): void {
  setInterval(() => process.send?.({ type: "alive" }), BEAT_MS).unref();
}

/**
 * Calls `onHang` once when a child that beats has not done so for `timeoutMs`. A process that has stopped computing
 * still holds its port and its clients.
 * @returns ends the watch
 */
export function watchHeartbeat(child: ChildProcess, timeoutMs: number, onHang: () => void): () => void {
  let lastBeat = performance.now();
  child.on("message", () => {
    lastBeat = performance.now();
  });
  const timer = setInterval(() => {
    if (performance.now() - lastBeat <= timeoutMs) return;
    clearInterval(timer);
    onHang();
  }, timeoutMs / 4);
  return () => clearInterval(timer);
}
