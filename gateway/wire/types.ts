import type { Context } from "hono";

/** A request to a server's HTTP API, ready to be sent. */
export interface HttpRequest {
  /** Scheme, host and port: `http://127.0.0.1:8000`. */
  readonly origin: string;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** Without `host`, `connection`, `content-length` and `transfer-encoding`, which the transport writes. */
  readonly headers: readonly HttpHeader[];
  readonly body: Uint8Array | undefined;
  /**
   * Whether it may go over a connection that was used before. The server may be about to close that one, and then
   * nobody knows whether it has acted on the request: it is sent once more, over a new one.
   */
  readonly mayReuse: boolean;
}

export type HttpHeader = readonly [name: string, value: string];

/** The head of an answer. */
export interface HttpHead {
  readonly status: number;
  /** Names in lower case; without what only concerns the connection to the server. */
  readonly headers: readonly HttpHeader[];
  /** Bytes of the body, where the server tells. */
  readonly contentLength: number | undefined;
  /** Whether a body follows. */
  readonly hasBody: boolean;
  /** Whether the body is `text/event-stream` that can be read as it is. */
  readonly isEventStream: boolean;
  /** Whether the body is compressed, or otherwise encoded, so that nothing can be read in it. */
  readonly isEncoded: boolean;
}

/** @param type the header `content-type` */
export const isEventStreamType = (type: string | null | undefined): boolean =>
  /^text\/event-stream *(;|$)/i.test(type ?? "");

/** Why an exchange failed. Nothing is known of whether the server acted on it, but for `unsent`. */
export type HttpErrorCode =
  /** The server was not reached: nothing of the request was sent. */
  | "unsent"
  /** The connection broke before the answer was whole. */
  | "lost"
  /** A time limit passed; see the message for which. */
  | "timeout"
  /** What came is not HTTP, or is larger than is allowed. */
  | "garbage";

export class HttpError extends Error {
  readonly code: HttpErrorCode;

  constructor(code: HttpErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "HttpError";
    this.code = code;
  }
}

/** Hears of an answer as it comes. Exactly one of `onEnd` and `onError` is called, last, unless it is cancelled. */
export interface HttpReceiver {
  onHead(head: HttpHead): void;
  /**
   * A piece of the body as it is to be passed on: of an event stream, whole events and comment lines.
   * @param isFramed whether the bytes have HTTP's chunks around them, each of whole events; of a body that has been
   * given without them once, no more piece has them
   * @returns whether the bytes are still in use; if not, they may be another piece's from now on
   */
  onBytes(wire: Uint8Array, isFramed: boolean): boolean;
  /** The same for the last piece, which may be empty, or be the beginning of an event: the answer is whole. */
  onEnd(wire: Uint8Array, isFramed: boolean): boolean;
  onError(error: HttpError): void;
}

/** A request on its way. */
export interface HttpCall {
  /** Closes the connection: the server is to stop. No callback comes after it. */
  cancel(): void;
  /** Holds the server back. */
  pause(): void;
  resume(): void;
}

/** How long a server may take, in milliseconds. */
export interface HttpTimeouts {
  /** To take a connection. */
  readonly connectMs: number;
  /** From the request to the answer's first byte of body. */
  readonly firstByteMs: number;
  /** Between two pieces of the body. */
  readonly idleMs: number;
}

/** The answer to a client, into which a server's bytes go as they come. */
export interface WireReply {
  /** What the route handler returns. */
  readonly response: Response;
  /** Passes on bytes from `onBytes`. False when the client reads too slowly: wait for `onWritable`. */
  write(wire: Uint8Array, isFramed: boolean): boolean;
  /** Passes on the bytes from `onEnd`, and ends. */
  finish(wire: Uint8Array, isFramed: boolean): void;
  /** Whether bytes that were given to `write` or `finish` are still in use. */
  readonly isHolding: boolean;
  /** Sends a piece of body that is not from the server itself. */
  writeText(text: string): boolean;
  /** Ends an answer whose last pieces came from `writeText`. */
  end(): void;
  /** Breaks the connection off, so that the client sees that something is missing. */
  destroy(): void;
  /** Called each time the client has caught up after `write` returned false. */
  onWritable: (() => void) | undefined;
  /** Called once if the client goes away before the end. */
  onAbort: (() => void) | undefined;
}

/**
 * HTTP to servers and back to clients, of whose bodies only the ends of events are looked for. Bytes of
 * `HttpReceiver.onBytes` go as they are into a reply of the same transport.
 */
export interface HttpTransport {
  call(request: HttpRequest, receiver: HttpReceiver, timeouts: HttpTimeouts): HttpCall;
  /** Begins the answer to a client with a server's head, and further headers in place of the server's own. */
  reply(context: Context, head: HttpHead, headers: readonly HttpHeader[]): WireReply;
  /** Closes idle connections. */
  close(): void;
}
