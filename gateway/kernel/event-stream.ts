import type { Context } from "hono";
import { WebBody } from "./web-body.ts";

/**
 * A server-sent event stream to one client. The Node adapter writes to the socket; the version in this file, for
 * runtimes with only web standards, uses a ReadableStream.
 */
export interface EventStream {
  /** What the route handler returns. */
  readonly response: Response;
  /** Sends text. @returns false if the client reads too slowly: wait for `onWritable` */
  write(text: string): boolean;
  end(): void;
  /** Called each time the client has caught up after `write` returned false. */
  onWritable: (() => void) | undefined;
  /** Called once if the client disconnects before `end`. */
  onAbort: (() => void) | undefined;
}

export type OpenEventStream = (context: Context, headers: Record<string, string>) => EventStream;

/** Where an answer goes that is made whether or not its client stays. */
export interface Detached {
  /** Aborts when the answer is not wanted any more. */
  readonly signal: AbortSignal;
  openStream(): EventStream;
  /** Called once the request is not refused any more because of what it says, or whose it is. */
  onAccepted?(): void;
}

export const EVENT_STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  // Tells nginx and similar proxies not to buffer events.
  "x-accel-buffering": "no",
};

export const openWebEventStream: OpenEventStream = (_context, headers) => new WebEventStream(headers);

class WebEventStream extends WebBody implements EventStream {
  readonly response: Response;

  constructor(headers: Record<string, string>) {
    super();
    this.response = new Response(this.stream, { headers: { ...EVENT_STREAM_HEADERS, ...headers } });
  }

  write(text: string): boolean {
    return this.send(text);
  }
}
