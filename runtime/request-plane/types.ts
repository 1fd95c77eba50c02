/**
 * The request plane: server-streaming calls from a gateway to a worker, many at once over one connection,
 * with cancellation, deadlines and flow control. Messages are bytes; what they mean is the caller's affair.
 */
export interface RequestPlaneServer {
  /** Where clients reach it: `unix:/path`, `tcp:host:port` or `memory:name`. */
  readonly address: string;
  /** Calls that have not ended. */
  readonly activeCalls: number;
  /** Refuses new calls (code `draining`), waits for the running ones to end or for `deadlineMs`, then closes. */
  drain(deadlineMs: number): Promise<void>;
  /** Closes at once; running calls fail with code `connection_lost` on both sides. */
  close(): Promise<void>;
}

export interface ServeOptions {
  /** Longest message or request that is taken, in bytes. Default 64 MiB. */
  maxMessageBytes?: number;
  /**
   * Told of what nobody else hears: a handler that threw something other than a `PlaneError` (with its
   * endpoint), and a peer that broke the protocol and was disconnected.
   */
  onError?: (error: Error, endpoint?: string) => void;
}

/**
 * Serves one endpoint. May throw or reject: the caller then receives the error. Returning does not end the call.
 * The payload is the handler's own to keep.
 */
export type Handler = (payload: Uint8Array, call: ServerCall) => void | Promise<void>;

export interface ServerCall {
  /** Aborted when the client cancels, its connection breaks or the deadline passes; `reason` is a `PlaneError`. */
  readonly signal: AbortSignal;
  /**
   * Sends one message; the bytes are copied, so the caller may use them again at once. Returns false when the
   * client's window is full: wait for `writable()` before sending more (what is sent all the same is delivered,
   * at the price of memory). Messages sent within one turn of the event loop leave in one write. Ignored once
   * the call has ended, which also returns false.
   *
   * @throws PlaneError `invalid_request` where the message is longer than the client takes
   */
  send(message: Uint8Array): boolean;
  /** Resolves when the window has room again, or when the call has ended. */
  writable(): Promise<void>;
  /** Ends the call well. Exactly one of `end` and `fail` counts; later ones are ignored. */
  end(): void;
  /** Ends the call with an error. */
  fail(error: PlaneError): void;
}

export interface RequestPlaneClient {
  readonly address: string;
  /** Resolves when the connection has ended, with the reason where there is one. */
  readonly closed: Promise<Error | undefined>;
  /**
   * Starts a call; `payload` is copied. The receiver's callbacks run, never before this returns, until exactly
   * one of `onEnd` and `onError` has run.
   */
  call(endpoint: string, payload: Uint8Array, receiver: Receiver, options?: CallOptions): ClientCall;
  /** Ends the connection; running calls fail with code `connection_lost`. */
  close(): void;
}

export interface ConnectOptions {
  /** Milliseconds until a server that does not answer is given up. Default 5,000. */
  connectTimeoutMs?: number;
  /** Longest message that is taken, in bytes. Default 64 MiB. */
  maxMessageBytes?: number;
}

/** Hears what a call brings. A callback that throws ends the call with code `internal`. */
export interface Receiver {
  /** One message. The bytes are only valid during the callback. */
  onMessage(message: Uint8Array): void;
  onEnd(): void;
  onError(error: PlaneError): void;
}

export interface CallOptions {
  /** Milliseconds until the call fails with code `deadline_exceeded` on both sides. Default: none. */
  deadlineMs?: number;
  /** Bytes that may be under way before the server has to wait. Default 256 KiB. */
  windowBytes?: number;
}

export interface ClientCall {
  /** Stops the call; the server's signal aborts. The receiver gets `onError` with code `cancelled`, and no more messages. */
  cancel(): void;
  /** Stops granting window, so that a fast server waits; messages already sent still arrive. */
  pause(): void;
  resume(): void;
}

/** The order is part of the wire format: a code travels as its index. */
export const planeErrorCodes = [
  "cancelled",
  "deadline_exceeded",
  "connection_lost",
  "draining",
  "unknown_endpoint",
  "invalid_request",
  "overloaded",
  "internal",
] as const;

export type PlaneErrorCode = (typeof planeErrorCodes)[number];

/** An error that crosses the request plane: a code for programs and a sentence for people. */
export class PlaneError extends Error {
  readonly code: PlaneErrorCode;
  constructor(code: PlaneErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PlaneError";
    this.code = code;
  }
}
