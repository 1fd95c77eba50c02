import type { Context } from "hono";

/**
 * A server-sent event stream to one client. The Node adapter writes it straight to the socket's response; this
 * file's version, for runtimes that only know web standards, goes through a ReadableStream.
 */
export interface EventStream {
  /** What the route handler returns. */
  readonly response: Response;
  /** Sends text. False when the client reads too slowly: wait for `onWritable`. */
  write(text: string): boolean;
  end(): void;
  /** Called each time the client has caught up after `write` returned false. */
  onWritable: (() => void) | undefined;
  /** Called once if the client goes away before `end`. */
  onAbort: (() => void) | undefined;
}

export type OpenEventStream = (context: Context, headers: Record<string, string>) => EventStream;

export const EVENT_STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  // Tells nginx and its like to pass events on as they come.
  "x-accel-buffering": "no",
};

/** Text that may wait for the client, in UTF-16 units, before `write` asks to hold. */
const HIGH_WATER_MARK = 64 * 1024;

export const openWebEventStream: OpenEventStream = (_context, headers) => new WebEventStream(headers);

class WebEventStream implements EventStream {
  readonly response: Response;
  onWritable: (() => void) | undefined;
  onAbort: (() => void) | undefined;
  readonly #encoder = new TextEncoder();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #isFull = false;

  constructor(headers: Record<string, string>) {
    const body = new ReadableStream<Uint8Array>(
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
    this.response = new Response(body, { headers: { ...EVENT_STREAM_HEADERS, ...headers } });
  }

  write(text: string): boolean {
    if (this.#controller === undefined) return true;
    this.#controller.enqueue(this.#encoder.encode(text));
    this.#isFull = (this.#controller.desiredSize ?? 1) <= 0;
    return !this.#isFull;
  }

  end(): void {
    this.#controller?.close();
    this.#controller = undefined;
  }
}
