/** A batch, up to and including which the events of a publisher are known. */
export interface ZmqPosition {
  readonly sequence: number;
  /** The first half of the batch's SHA-256: a batch contains its time, so that no other publisher's is the same. */
  readonly digest: Uint8Array;
}

export interface ZmqSubscriberOptions {
  /** The endpoint of the rank's publisher. */
  endpoint: string;
  /** The publisher's replay endpoint. Without it, each loss means starting over. */
  replayEndpoint?: string | undefined;
  /** Topic prefix to subscribe to. Default: all. */
  topic?: string | undefined;
  /** Timeout for each message of a replay, in milliseconds. Default 5,000. */
  replayTimeoutMs?: number | undefined;
  /**
   * Messages are held until this resolves: with a position if the receiver knows everything up to there by other means.
   * If batches after it are lost, or it is another publisher's, `onForget` runs. Must not reject.
   */
  start?: Promise<ZmqPosition | undefined> | undefined;
  /**
   * One batch in vLLM's wire format, live or replayed; each once and in order. If it throws a `KvEventError`, the batch
   * counts as malformed and `onForget` runs, as its content is lost.
   */
  onPayload(payload: Uint8Array, sequence: number): void;
  /** A message that is not one of a KV event publisher. @param what the problem, as half a sentence */
  onMalformed?(what: string): void;
  /** Forget this rank's cache: batches are lost for good, or the publisher is another one. */
  onForget(): void;
  /** Delivering a message failed for a reason other than its content. Later ones are delivered. */
  onFault?(error: unknown): void;
}

export interface ZmqSubscriberCounters {
  /** Batches delivered, including replayed ones, and as one those up to the position at the start. */
  applied: number;
  /** How often a batch was missing. */
  gaps: number;
  /** How often a replay was requested. */
  replays: number;
  /** How often `onForget` ran. */
  forgotten: number;
  /** Unreadable messages, which were skipped. */
  malformed: number;
}

/** A subscription to a rank's KV events over ZeroMQ. */
export interface ZmqSubscription {
  /** Whether the publisher is connected. */
  readonly isConnected: boolean;
  readonly counters: Readonly<ZmqSubscriberCounters>;
  /** The last batch delivered; undefined before the first one, and while later ones may be missing. */
  readonly position: ZmqPosition | undefined;
  close(): void;
}
