export interface ZmqSubscriberOptions {
  /** The publisher's endpoint, that of the rank which is wanted. */
  endpoint: string;
  /** Where it sends lost batches again. Without it each loss means to begin anew. */
  replayEndpoint?: string | undefined;
  /** Only messages whose topic begins so. Default: all. */
  topic?: string | undefined;
  /** Longest wait for the next message of a replay. Default 5,000. */
  replayTimeoutMs?: number | undefined;
  /**
   * One batch in vLLM's wire format, live or replayed; each once and in order. A `KvEventError` that it throws is
   * counted, and leads to `onForget`: what the batch said is not known.
   */
  onPayload(payload: Uint8Array, sequence: number): void;
  /** A message came that is none of a publisher of KV events. @param what is wrong with it, as half a sentence */
  onMalformed?(what: string): void;
  /** Forget what is known of this rank's cache: batches are lost for good, or the publisher is another one. */
  onForget(): void;
  /** A message that could not be handed on, for a reason that is not the message's own. The next one is tried again. */
  onFault?(error: unknown): void;
}

export interface ZmqSubscriberCounters {
  /** Batches handed on, those of replays too. */
  applied: number;
  /** Times that a batch was missing. */
  gaps: number;
  /** Times that the publisher was asked for past batches. */
  replays: number;
  /** Times that `onForget` ran. */
  forgotten: number;
  /** Messages that could not be read, and were passed over. */
  malformed: number;
}

/** A rank's KV events, followed over ZeroMQ. */
export interface ZmqSubscription {
  /** Whether the publisher is connected. */
  readonly isConnected: boolean;
  readonly counters: Readonly<ZmqSubscriberCounters>;
  close(): void;
}
