import type { ConnectOptions, ServeOptions } from "./types.ts";

/**
 * An ordered two-way stream of bytes, which a transport provides. Bytes can arrive in other pieces than they were
 * written in.
 */
export interface Pipe {
  /** Whether the pipe itself detects a silent peer, so that pings are unnecessary. */
  readonly detectsSilence: boolean;
  /** Starts delivery; called once. */
  start(sink: PipeSink): void;
  /** Sends `bytes`, which must not change until `done` is called. Ignored on a closed pipe. */
  write(bytes: Uint8Array, done: () => void): void;
  /** Closes once all written bytes are sent; a peer that does not close its side is disconnected soon after. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

export interface PipeSink {
  /** Received bytes, only valid during the callback. */
  onData(chunk: Uint8Array): void;
  /** The pipe is closed, with the error that closed it, if any. Called exactly once, and last. */
  onClose(error: Error | undefined): void;
}

/** A listening address. */
export interface Listener {
  /** The full address, with the port that the system chose. */
  readonly address: string;
  /** Accepts no more pipes; existing ones stay open. */
  close(): Promise<void>;
}

/** A transport for pipes. Both methods reject with a `PlaneError` that names the address. */
export interface Transport<A> {
  listen(address: A, onPipe: (pipe: Pipe) => void, options: ServeOptions): Promise<Listener>;
  /** Rejects with the signal's reason if `signal` aborts before the pipe is connected. */
  connect(address: A, signal: AbortSignal, options: ConnectOptions): Promise<Pipe>;
}
