import type { Context } from "hono";

/** A request to a server's HTTP API. */
export interface HttpRequest {
  /** Scheme, host and port: `http://127.0.0.1:8000`. */
  readonly origin: string;
  readonly method: string;
  /** Including the query. */
  readonly path: string;
  /** Without `host`, `connection`, `content-length` and `transfer-encoding`, which the transport writes. */
  readonly headers: readonly HttpHeader[];
  readonly body: HttpBody | undefined;
  /**
   * Whether it may use a kept-alive connection. If the server closes that connection, it is unknown whether the
   * server has acted on the request, which is then resent once over a new connection.
   */
  readonly mayReuse: boolean;
}

/** A body, or its pieces, which are sent one after another without being copied together. */
export type HttpBody = Uint8Array | readonly Uint8Array[];

export type HttpHeader = readonly [name: string, value: string];

/** The head of an answer. */
export interface HttpHead {
  readonly status: number;
  /** Names in lower case; without hop-by-hop headers. */
  readonly headers: readonly HttpHeader[];
  /** Length of the body in bytes, if known. */
  readonly contentLength: number | undefined;
  /** Whether a body follows. */
  readonly hasBody: boolean;
  /** Whether the body is an unencoded `text/event-stream`. */
  readonly isEventStream: boolean;
  /** Whether the body is compressed or otherwise encoded, so that it cannot be read. */
  readonly isEncoded: boolean;
}

/** @param type the `content-type` header */
export const isEventStreamType = (type: string | null | undefined): boolean =>
  /^text\/event-stream *(;|$)/i.test(type ?? "");

/** Why an exchange failed. Except for `unsent`, the server may have acted on the request. */
export type HttpErrorCode =
  /** The server was not reached, and nothing was sent. */
  | "unsent"
  /** The connection was lost before the answer was complete. */
  | "lost"
  /** A timeout expired; the message says which. */
  | "timeout"
  /** The answer is not valid HTTP, or too large. */
  | "garbage";

export class HttpError extends Error {
  readonly code: HttpErrorCode;

  constructor(code: HttpErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "HttpError";
    this.code = code;
  }
}

/** Receives an answer. Unless it is cancelled, exactly one of `onEnd` and `onError` is called last. */
export interface HttpReceiver {
  onHead(head: HttpHead): void;
  /**
   * Receives a piece of the body to pass on: for an event stream, whole events and comment lines.
   * @param isFramed whether the bytes are HTTP chunks of whole events; once a piece is unframed, all later ones are
   * @returns whether the bytes are still in use; if not, their buffer may be reused
   */
  onBytes(wire: Uint8Array, isFramed: boolean): boolean;
  /** The same for the last piece, which may be empty or an incomplete event: the answer is complete. */
  onEnd(wire: Uint8Array, isFramed: boolean): boolean;
  onError(error: HttpError): void;
}

/** A request in flight. */
export interface HttpCall {
  /** Closes the connection, so that the server stops. No callback is called afterwards. */
  cancel(): void;
  /** Applies backpressure to the server. */
  pause(): void;
  resume(): void;
}

/** Timeouts for a server, in milliseconds. */
export interface HttpTimeouts {
  /** Time to connect. */
  readonly connectMs: number;
  /** Time from the request to the first byte of the answer's body. */
  readonly firstByteMs: number;
  /** Time between two pieces of the body. */
  readonly idleMs: number;
}

/** The answer to a client, to which a server's bytes are passed on as they arrive. */
export interface WireReply {
  /** What the route handler returns. */
  readonly response: Response;
  /** Passes on bytes from `onBytes`. @returns false if the client reads too slowly: wait for `onWritable` */
  write(wire: Uint8Array, isFramed: boolean): boolean;
  /** Passes on the bytes from `onEnd`, and ends. */
  finish(wire: Uint8Array, isFramed: boolean): void;
  /** Whether bytes passed to `write` or `finish` are still in use. */
  readonly isHolding: boolean;
  /** Sends part of the body that does not come from the server. */
  writeText(text: string): boolean;
  /** Ends an answer whose last part came from `writeText`. */
  end(): void;
  /** Aborts the connection, so that the client sees that the answer is incomplete. */
  destroy(): void;
  /** Called each time the client has caught up after `write` returned false. */
  onWritable: (() => void) | undefined;
  /** Called once if the client disconnects before the end. */
  onAbort: (() => void) | undefined;
}

/**
 * HTTP to servers and back to clients, which parses bodies only for event boundaries. The bytes of
 * `HttpReceiver.onBytes` can be passed unchanged to a reply of the same transport.
 */
export interface HttpTransport {
  call(request: HttpRequest, receiver: HttpReceiver, timeouts: HttpTimeouts): HttpCall;
  /** Starts the answer to a client with a server's head, and headers that override the server's. */
  reply(context: Context, head: HttpHead, headers: readonly HttpHeader[]): WireReply;
  /** Closes idle connections. */
  close(): void;
}
