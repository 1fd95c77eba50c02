import { connectZmtp } from "../zmtp/connection.ts";
import { emptyFrame, encodeSequence, readReplayed, type SequencedPayload } from "./frames.ts";

/** How a replay ended: with its end marker, stopped by the receiver, or without an answer. */
export type ReplayOutcome = "complete" | "stopped" | "failed";

/** One replay request to a publisher. */
export class Replay {
  readonly #endpoint: string;
  readonly #timeoutMs: number;
  #end: ((outcome: ReplayOutcome) => void) | undefined;

  /** @param timeoutMs timeout for each message of the answer */
  constructor(endpoint: string, timeoutMs: number) {
    this.#endpoint = endpoint;
    this.#timeoutMs = timeoutMs;
  }

  /** Requests the batches from `from` on, delivers them in order, and closes. */
  run(from: number, onBatch: (batch: SequencedPayload) => "continue" | "stop"): Promise<ReplayOutcome> {
    return new Promise((resolve) => {
      let timer: ReturnType<typeof setTimeout>;
      const wait = () => {
        clearTimeout(timer);
        timer = setTimeout(() => end("failed"), this.#timeoutMs);
      };
      const end = (outcome: ReplayOutcome) => {
        clearTimeout(timer);
        connection.close();
        resolve(outcome);
      };
      const connection = connectZmtp(this.#endpoint, "DEALER", {
        onReady: () => connection.send([emptyFrame, encodeSequence(from)]),
        onMessage: (frames) => {
          wait();
          const batch = readReplayed(frames);
          if (batch === undefined) end("failed");
          else if (batch === "end") end("complete");
          else if (onBatch(batch) === "stop") end("stopped");
        },
        onClose: () => end("failed"),
      });
      this.#end = end;
      wait();
    });
  }

  close(): void {
    this.#end?.("failed");
  }
}
