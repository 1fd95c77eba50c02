import type { Dealer } from "zeromq";
import { emptyFrame, encodeSequence, readReplayed, type SequencedPayload } from "./frames.ts";
import type { Zmq } from "./load.ts";

/** How a replay ended: with its end marker, because the receiver had enough, or without an answer. */
export type ReplayOutcome = "complete" | "stopped" | "failed";

/** One request to a publisher to send batches again. */
export class Replay {
  readonly #dealer: Dealer;

  /** @param timeoutMs longest wait for the next message of the answer */
  constructor(zmq: Zmq, endpoint: string, timeoutMs: number) {
    // No limit on what waits to be read: what a ROUTER cannot send, it drops.
    this.#dealer = new zmq.Dealer({
      linger: 0,
      receiveHighWaterMark: 0,
      receiveTimeout: timeoutMs,
      sendTimeout: timeoutMs,
    });
    this.#dealer.connect(endpoint);
  }

  /** Asks for the batches from `from` on, hands them over in order, and closes. */
  async run(from: number, onBatch: (batch: SequencedPayload) => "go on" | "stop"): Promise<ReplayOutcome> {
    try {
      await this.#dealer.send([emptyFrame, encodeSequence(from)]);
      for (;;) {
        const batch = readReplayed(await this.#dealer.receive());
        if (batch === undefined) return "failed";
        if (batch === "end") return "complete";
        if (onBatch(batch) === "stop") return "stopped";
      }
    } catch (error) {
      if (isZmqError(error)) return "failed";
      throw error;
    } finally {
      this.close();
    }
  }

  close(): void {
    if (!this.#dealer.closed) this.#dealer.close();
  }
}

/** Whether the library failed: a time-out, or a socket that was closed meanwhile. */
function isZmqError(error: unknown): boolean {
  return error instanceof Error && "errno" in error;
}
