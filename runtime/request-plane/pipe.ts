/**
 * A two-way stream of bytes, in order: what a transport gives, and all that the request plane asks of one. Bytes
 * may arrive in other pieces than they were written in.
 */
export interface Pipe {
  /** Begins to deliver what arrives; called once. */
  start(sink: PipeSink): void;
  /** Sends `bytes`, which must not change until `done` is called. Ignored on a closed pipe. */
  write(bytes: Uint8Array, done: () => void): void;
  /** Closes once all that was written has left; a peer that does not close its side too is cut off soon after. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

export interface PipeSink {
  /** Bytes arrived; they are only valid during the callback. */
  onData(chunk: Uint8Array): void;
  /** The pipe is closed, with the error that closed it where there was one. Called exactly once, and last. */
  onClose(error: Error | undefined): void;
}

/** A place where pipes arrive. */
export interface Listener {
  /** The address in full, with the port that the system chose. */
  readonly address: string;
  /** Takes no more pipes; those that stand are not touched. */
  close(): Promise<void>;
}

/** One way to carry pipes. Both reject with a `PlaneError` that names the address. */
export interface Transport<A> {
  listen(address: A, onPipe: (pipe: Pipe) => void): Promise<Listener>;
  /** Gives up, and rejects with the signal's reason, when `signal` aborts before the pipe stands. */
  connect(address: A, signal: AbortSignal): Promise<Pipe>;
}
