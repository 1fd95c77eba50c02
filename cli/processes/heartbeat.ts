import type { EventEmitter } from "node:events";
import { Silence } from "../up/silence.ts";

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
export function watchHeartbeat(child: EventEmitter, timeoutMs: number, onHang: () => void): () => void {
  const interval = timeoutMs / 4;
  const silence = new Silence(interval);
  child.on("message", () => silence.end());
  const timer = setInterval(() => {
    if (silence.look() <= timeoutMs) return;
    clearInterval(timer);
    onHang();
  }, interval);
  return () => clearInterval(timer);
}
