/** Bytes that may wait for the client before `send` asks to hold. */
const HIGH_WATER_MARK = 64 * 1024;

const encoder = new TextEncoder();

/** An answer whose body is written piece by piece, as a web stream. */
export abstract class WebBody {
  protected readonly stream: ReadableStream<Uint8Array>;
  /** Called each time the client has caught up after `send` returned false. */
  onWritable: (() => void) | undefined;
  /** Called once if the client goes away before the end. */
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

  /** Sends text, or bytes that will not change any more. False when the client reads too slowly. */
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

  /** Breaks off, so that the client sees that something is missing. */
  destroy(): void {
    this.onAbort = undefined;
    this.#controller?.error(new Error("The answer broke off."));
    this.#controller = undefined;
  }
}
