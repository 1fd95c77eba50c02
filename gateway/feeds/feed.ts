import { KvEventError, type Logger, type ZmqPosition } from "#runtime";
import type { EngineAdapter, EngineApi, KvEventOrigin } from "../engines/types.ts";

/** Receives a member's KV events. */
export interface FeedReceiver {
  /** Applies a batch in vLLM's wire format. @throws KvEventError if it cannot be read */
  onPayload(payload: Uint8Array): void;
  /** Some events cannot be read. @param what the problem, as a clause */
  onUnreadable(what: string): void;
  /** Forgets what this rank, or every rank if undefined, has cached. */
  onForget(rank: number | undefined): void;
  /**
   * Where the rank's events continue, if another gateway hands over what it knows; until this resolves, they wait.
   * Undefined if none does.
   */
  startOf?(rank: number): Promise<ZmqPosition | undefined> | undefined;
}

/** A subscription to a member's KV events over any transport. */
export interface Feed {
  /** Whether every publisher is connected; false if that is unknown. */
  readonly isConnected: boolean;
  /** Whether the events now come from a stream, not from the member itself; undefined if there is no stream. */
  readonly isStreamed?: boolean;
  /** Batches received so far. */
  readonly batches: number;
  /** The last batch of the rank's events that the receiver has; undefined if that is unknown. */
  positionOf(rank: number): ZmqPosition | undefined;
  /** How often a batch was missing; undefined if that is not counted. */
  readonly gaps?: number | undefined;
  /** Ends the subscription; the receiver is not called afterwards. */
  close(): void;
}

/** Subscribes to an engine's KV events from all of its sources. */
export type OpenEngineFeed = (
  sources: readonly KvEventOrigin[],
  api: EngineApi,
  adapter: EngineAdapter,
  receiver: FeedReceiver,
  log: Logger,
) => Feed;

/**
 * Passes on a batch, and reports it if it cannot be read.
 * @throws what the receiver throws
 */
export function deliver(receiver: FeedReceiver, payload: Uint8Array): void {
  try {
    receiver.onPayload(payload);
  } catch (error) {
    if (error instanceof KvEventError) receiver.onUnreadable(error.what);
    throw error;
  }
}

/** What a subscription to all of a worker's ranks calls, however their events come. */
export const workerCallbacks = (receiver: FeedReceiver, log: Logger) => ({
  onCleared: () => receiver.onForget(undefined),
  onPayload: (payload: Uint8Array) => deliver(receiver, payload),
  onFault: (error: unknown) => log.error("cannot apply the worker's KV events", { error }),
});
