import type { HttpHead, HttpHeader, WireReply } from "./types.ts";

/** Bytes that may wait for the client before `write` asks to hold. */
const HIGH_WATER_MARK = 64 * 1024;

/** An answer as a `Response` with a stream for its body. */
export class WebWireReply implements WireReply {
  readonly response: Response;
  readonly isHolding = false;
  onWritable: (() => void) | undefined;
  onAbort: (() => void) | undefined;
  readonly #encoder = new TextEncoder();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #isFull = false;

  constructor(head: HttpHead, headers: readonly HttpHeader[]) {
    const body = head.hasBody ? this.#stream() : null;
    const all = new Headers();
    for (const [name, value] of head.headers) {
      if (!headers.some(([own]) => own === name)) all.append(name, value);
    }
    for (const [name, value] of headers) all.append(name, value);
    if (head.contentLength !== undefined) all.set("content-length", String(head.contentLength));
    this.response = new Response(body, { status: head.status, headers: all });
  }

  write(wire: Uint8Array): boolean {
    if (this.#controller === undefined) return true;
    this.#controller.enqueue(new Uint8Array(wire));
    this.#isFull = (this.#controller.desiredSize ?? 1) <= 0;
    return !this.#isFull;
  }

  finish(wire: Uint8Array): void {
    if (wire.length > 0) this.write(wire);
    this.end();
  }

  writeText(text: string): boolean {
    return this.write(this.#encoder.encode(text));
  }

  end(): void {
    this.#controller?.close();
    this.#controller = undefined;
  }

  destroy(): void {
    this.onAbort = undefined;
    this.#controller?.error(new Error("The answer broke off."));
    this.#controller = undefined;
  }

  #stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
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
}
