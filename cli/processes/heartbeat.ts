import type { EventEmitter } from "node:events";
import { Silence } from "../up/silence.ts";

const BEAT_MS = 1_000;

/** Sends the supervisor, while there is one, a periodic heartbeat while this process's event loop runs. */
export function beat(self: Pick<NodeJS.Process, "connected" | "send"> = process): void {
  setInterval(() => {
    if (self.connected) self.send?.({ type: "alive" });
  }, BEAT_MS).unref();
}

/**
 * Calls `onHang` once when a child has sent no heartbeat for `timeoutMs`: a hung process still holds its port and its
 * clients.
 * @returns a function that stops watching
 */
export function watchHeartbeat(child: EventEmitter, timeoutMs: number, onHang: () => void): () => void {
  const interval = timeoutMs / 4;
  const silence = new Silence(interval);
  child.on("message", () => silence.reset());
  const timer = setInterval(() => {
    if (silence.measure() <= timeoutMs) return;
    clearInterval(timer);
    onHang();
  }, interval);
  return () => clearInterval(timer);
}
