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
  /** Closes at once; running calls fail with code `connection_lost` on the other side. */
  close(): Promise<void>;
}

/** Serves one endpoint. May throw or reject: the caller then receives the error. */
export type Handler = (payload: Uint8Array, call: ServerCall) => void | Promise<void>;

export interface ServerCall {
  /** Aborted when the client cancels, its connection breaks or the deadline passes; `reason` says which. */
  readonly signal: AbortSignal;
  /**
   * Sends one message. Returns false when the client's window is full: wait for `writable()` before sending
   * more. Messages sent within one turn of the event loop leave in one write. Ignored once the call has ended.
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
  /** Starts a call. The receiver's callbacks run until exactly one of `onEnd` and `onError` has run. */
  call(endpoint: string, payload: Uint8Array, receiver: Receiver, options?: CallOptions): ClientCall;
  close(): void;
}

export interface Receiver {
  /** One message. The bytes are only valid during the callback. */
  onMessage(message: Uint8Array): void;
  onEnd(): void;
  onError(error: PlaneError): void;
}

export interface CallOptions {
  /** Milliseconds until the call fails with code `deadline_exceeded` on both sides. Default: none. */
  deadlineMs?: number;
}

export interface ClientCall {
  /** Stops the call; the server's signal aborts. The receiver gets `onError` with code `cancelled`. */
  cancel(): void;
  /** Stops granting window, so that a fast server waits; messages already sent still arrive. */
  pause(): void;
  resume(): void;
}

export type PlaneErrorCode =
  | "cancelled"
  | "deadline_exceeded"
  | "connection_lost"
  | "draining"
  | "unknown_endpoint"
  | "invalid_request"
  | "overloaded"
  | "internal";

/** An error that crosses the request plane: a code for programs and a sentence for people. */
export class PlaneError extends Error {
  readonly code: PlaneErrorCode;
  constructor(code: PlaneErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PlaneError";
    this.code = code;
  }
}
