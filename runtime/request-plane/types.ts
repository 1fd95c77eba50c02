/**
 * The request plane: server-streaming calls from a gateway to a worker, many concurrently over one connection, with
 * cancellation, deadlines and flow control. Messages are opaque bytes.
 */
export interface RequestPlaneServer {
  /** Its address for clients: `unix:/path`, `tcp:host:port`, `tls:host:port`, `nats:subject` or `memory:name`. */
  readonly address: string;
  /** The number of running calls. */
  readonly activeCalls: number;
  /** Refuses new calls (code `draining`), waits up to `deadlineMs` for running ones to end, then closes. */
  drain(deadlineMs: number): Promise<void>;
  /** Closes at once; running calls fail with code `connection_lost` on both sides. */
  close(): Promise<void>;
}

/** Applies to both sides of a connection. */
export interface HeartbeatOptions {
  /**
   * Milliseconds between pings; a connection uses the longer interval of its two sides. A peer that sends nothing for
   * two and a half of them is disconnected. Default 2,000.
   */
  pingMs?: number;
}

/** PEM files with which a server on a `tls:` address identifies itself; changes take effect within a second. */
export interface ServerTls {
  /** The certificate, with its chain. */
  readonly cert: string;
  readonly key: string;
  /** Authorities of client certificates, which are then required. */
  readonly clientCa?: string | undefined;
}

/** PEM files for connections to `tls:` addresses, read for each connection. */
export interface ClientTls {
  /** Authorities that replace the system's. */
  readonly ca?: string | undefined;
  /** The client's own certificate and key, for servers that require one. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that servers' certificates must have; default: the host of their address. */
  readonly serverName?: string | undefined;
}

export interface ServeOptions extends HeartbeatOptions {
  /** For `tls:` addresses. */
  tls?: ServerTls | undefined;
  /** URL of the NATS servers for `nats:` addresses. */
  nats?: string | undefined;
  /** Longest message or request that is taken, in bytes. Default 64 MiB. */
  maxMessageBytes?: number;
  /**
   * Called with errors that have no other receiver: a handler that threw something other than a `PlaneError` (with its
   * endpoint), or a peer that broke the protocol and was disconnected.
   */
  onError?: (error: Error, endpoint?: string) => void;
}

/**
 * Serves one endpoint. If it throws or rejects, the caller receives the error. Returning does not end the call. The
 * handler owns the payload.
 */
export type Handler = (payload: Uint8Array, call: ServerCall) => void | Promise<void>;

export interface ServerCall {
  /** Aborted when the client cancels, its connection breaks or the deadline passes; `reason` is a `PlaneError`. */
  readonly signal: AbortSignal;
  /**
   * Sends one message; the bytes are copied, so the caller can reuse them at once. Returns false if the client's window
   * is full: then wait for `writable()` before sending more (further messages are still delivered, but use memory).
   * Messages sent in one turn of the event loop leave in one write. After the end of the call, does nothing and returns
   * false.
   *
   * @throws PlaneError `invalid_request` if the message is longer than the client's limit
   */
  send(message: Uint8Array): boolean;
  /** Resolves when the window has room again, or when the call has ended. */
  writable(): Promise<void>;
  /** Ends the call successfully. Only the first `end` or `fail` counts; later ones are ignored. */
  end(): void;
  /** Ends the call with an error. */
  fail(error: PlaneError): void;
}

export interface RequestPlaneClient {
  readonly address: string;
  /** Resolves when the connection has ended, with the reason, if any. */
  readonly closed: Promise<Error | undefined>;
  /**
   * Starts a call; `payload` is copied. The receiver's callbacks run, never before this returns, until exactly
   * one of `onEnd` and `onError` has run.
   */
  call(endpoint: string, payload: Uint8Array, receiver: Receiver, options?: CallOptions): ClientCall;
  /** Ends the connection; running calls fail with code `connection_lost`. */
  close(): void;
}

export interface ConnectOptions extends HeartbeatOptions {
  /** For `tls:` addresses. */
  tls?: ClientTls | undefined;
  /** URL of the NATS servers for `nats:` addresses. */
  nats?: string | undefined;
  /** Connection timeout in milliseconds. Default 5,000. */
  connectTimeoutMs?: number;
  /** Longest message that is taken, in bytes. Default 64 MiB. */
  maxMessageBytes?: number;
}

/** Receives the events of a call. A callback that throws ends the call with code `internal`. */
export interface Receiver {
  /** One message, whose bytes are only valid during the callback. */
  onMessage(message: Uint8Array): void;
  onEnd(): void;
  onError(error: PlaneError): void;
}

export interface CallOptions {
  /** Milliseconds until the call fails with code `deadline_exceeded` on both sides. Default: none. */
  deadlineMs?: number;
  /** Most bytes in flight before the server has to wait. Default 256 KiB. */
  windowBytes?: number;
}

export interface ClientCall {
  /** Cancels the call and aborts the server's signal. The receiver gets `onError` with code `cancelled`. */
  cancel(): void;
  /** Stops granting window, so that a fast server waits; messages in flight still arrive. */
  pause(): void;
  resume(): void;
}

/** The order is part of the wire format, which encodes a code as its index. */
export const planeErrorCodes = [
  "cancelled",
  "deadline_exceeded",
  "connection_lost",
  "draining",
  "unknown_endpoint",
  "invalid_request",
  "overloaded",
  "internal",
  "context_length_exceeded",
  "invalid_media",
] as const;

export type PlaneErrorCode = (typeof planeErrorCodes)[number];

/** Codes of requests that are to blame themselves: no other worker could serve them. */
const REFUSALS: ReadonlySet<PlaneErrorCode> = new Set([
  "invalid_request",
  "context_length_exceeded",
  "invalid_media",
]);

export interface PlaneErrorOptions extends ErrorOptions {
  /** Which of the request's media is faulty, from 0, for `invalid_media`. */
  readonly medium?: number | undefined;
}

/** An error of the request plane: a code for programs and a message for people. */
export class PlaneError extends Error {
  readonly code: PlaneErrorCode;
  /** Which of the request's media is faulty, if it is one of them. */
  readonly medium: number | undefined;

  constructor(code: PlaneErrorCode, message: string, options?: PlaneErrorOptions) {
    super(message, options);
    this.name = "PlaneError";
    this.code = code;
    this.medium = options?.medium;
  }

  /** Whether the request itself is to blame; the message is a sentence for the client. */
  get isRefusal(): boolean {
    return REFUSALS.has(this.code);
  }
}
