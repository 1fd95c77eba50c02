/** Receives what a worker publishes, from the moment of the subscription on. */
export interface StreamListener {
  /** A live message, in the format of `wire.ts`; some may be missing, doubled or out of order. */
  onMessage(message: Uint8Array): void;
  /** How many batches the worker has sent, which it says every other second even if there are none. */
  onHead(next: number): void;
  /** The stream is lost, or answers again; it may be said to be lost several times. */
  onState(isConnected: boolean): void;
}

/** Servers to which workers publish their KV events once for all gateways, and which keep the latest. */
export interface KvEventStream {
  /** Whether it answers. */
  readonly isConnected: boolean;
  /**
   * The epoch of the publisher with this subject, which is part of it; undefined for a subject of another stream.
   * @param subject as workers announce it in discovery
   */
  epochOf(subject: string): string | undefined;
  /** Follows a publisher. @returns ends that */
  subscribe(subject: string, listener: StreamListener): () => void;
  /**
   * Passes on the messages that the stream keeps of a publisher: those of its snapshot, if it has one, then its batches
   * from the oldest to the last one at the time of the call.
   * @throws Error if the stream is unreachable, stalls, or `signal` is aborted, and whatever `onMessage` throws
   */
  replay(subject: string, onMessage: (message: Uint8Array) => void, signal: AbortSignal): Promise<void>;
}
