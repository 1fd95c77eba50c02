import { frameType, messageCost, putUint32 } from "./frame.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { type ClientCall, PlaneError, type Receiver } from "./types.ts";

/** What a call needs from its client. */
export interface OutgoingCallHome {
  readonly writer: FrameWriter;
  /** The call with this stream number has ended. */
  forget(stream: number): void;
}

/** The client's side of one call. */
export class OutgoingCall implements ClientCall {
  readonly #home: OutgoingCallHome;
  readonly #stream: number;
  readonly #receiver: Receiver;
  readonly #windowBytes: number;
  /** Bytes received since the last grant. */
  #consumed = 0;
  #paused = false;
  #ended = false;
  #deadline: NodeJS.Timeout | undefined;

  constructor(
    home: OutgoingCallHome,
    stream: number,
    receiver: Receiver,
    windowBytes: number,
    deadlineMs: number,
  ) {
    this.#home = home;
    this.#stream = stream;
    this.#receiver = receiver;
    this.#windowBytes = windowBytes;
    if (deadlineMs > 0) this.#deadline = setTimeout(() => this.#expire(deadlineMs), deadlineMs);
  }

  cancel(): void {
    this.#abandon(new PlaneError("cancelled", "The call was cancelled."));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#grant();
  }

  /** Delivers one message. */
  message(bytes: Uint8Array): void {
    this.#consumed += bytes.length + messageCost;
    try {
      this.#receiver.onMessage(bytes);
    } catch (cause) {
      const isExplained = cause instanceof PlaneError;
      this.#abandon(
        isExplained ? cause : new PlaneError("internal", "The receiver of a message threw.", { cause }),
      );
    }
    this.#grant();
  }

  /** The server ended the call successfully. */
  end(): void {
    if (!this.#finish()) return;
    try {
      this.#receiver.onEnd();
    } catch (error) {
      rethrowLater(error);
    }
  }

  /** The call ended with an error; notifies the receiver before this returns. */
  fail(error: PlaneError): void {
    if (this.#finish()) this.#tell(error);
  }

  /** The call cannot be made; notifies the receiver after the caller has its `ClientCall`. */
  refuse(error: PlaneError): void {
    if (this.#finish()) queueMicrotask(() => this.#tell(error));
  }

  #abandon(error: PlaneError): void {
    if (!this.#finish()) return;
    this.#home.writer.frame(frameType.cancel, this.#stream);
    queueMicrotask(() => this.#tell(error));
  }

  #expire(deadlineMs: number): void {
    this.#abandon(new PlaneError("deadline_exceeded", `The call did not end within ${deadlineMs} ms.`));
  }

  /** Grants consumed bytes once they are half the window, so a short answer costs no credit frame. */
  #grant(): void {
    if (this.#paused || this.#ended || this.#consumed < this.#windowBytes / 2) return;
    const credit = new Uint8Array(4);
    putUint32(credit, 0, this.#consumed);
    this.#consumed = 0;
    this.#home.writer.frame(frameType.credit, this.#stream, credit);
  }

  /** Returns false if the call had already ended. */
  #finish(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    clearTimeout(this.#deadline);
    this.#home.forget(this.#stream);
    return true;
  }

  #tell(error: PlaneError): void {
    try {
      this.#receiver.onError(error);
    } catch (thrown) {
      rethrowLater(thrown);
    }
  }
}

/** Sends an error of the caller's last callback to the process's handler instead of the connection. */
function rethrowLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
