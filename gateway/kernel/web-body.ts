/** Bytes that are buffered for the client before `send` applies backpressure. */
const HIGH_WATER_MARK = 64 * 1024;

const encoder = new TextEncoder();

/** A response body written piece by piece, as a web stream. */
export abstract class WebBody {
  protected readonly stream: ReadableStream<Uint8Array>;
  /** Called each time the client has caught up after `send` returned false. */
  onWritable: (() => void) | undefined;
  /** Called once if the client disconnects before the end. */
  onAbort: (() => void) | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #isFull = false;

  constructor() {
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          if (!this.#isFull) return;
          this.#isFull = false;
          this.onWritable?.();
        },
        cancel: () => {
          this.#controller = undefined;
          this.onAbort?.();
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_MARK }),
    );
  }

  /** Sends text, or bytes that will not change. @returns false if the client reads too slowly */
  protected send(piece: Uint8Array | string): boolean {
    if (this.#controller === undefined) return true;
    this.#controller.enqueue(typeof piece === "string" ? encoder.encode(piece) : piece);
    this.#isFull = (this.#controller.desiredSize ?? 1) <= 0;
    return !this.#isFull;
  }

  end(): void {
    this.#controller?.close();
    this.#controller = undefined;
  }

  /** Fails the stream, so that the client sees that it is incomplete. */
  destroy(): void {
    this.onAbort = undefined;
    this.#controller?.error(new Error("The answer was interrupted."));
    this.#controller = undefined;
  }
}
