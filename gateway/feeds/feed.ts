import { KvEventError, type Logger } from "#runtime";
import type { EngineAdapter, EngineApi, KvEventSource } from "../engines/types.ts";

/** Who is told what a member's cache holds. */
export interface FeedReceiver {
  /** A batch in vLLM's wire format. @throws KvEventError where it cannot be read */
  onPayload(payload: Uint8Array): void;
  /** Something of what it tells cannot be read. @param what is wrong with it, as half a sentence */
  onUnreadable(what: string): void;
  /** What is known of this rank's cache is to be forgotten; undefined: of all ranks. */
  onForget(rank: number | undefined): void;
}

/** The KV events of a member, however they come. */
export interface Feed {
  /** Whether every publisher is connected; false where nothing tells so. */
  readonly isConnected: boolean;
  /** Batches that have come so far. */
  readonly batches: number;
  /** Ends it; the receiver hears nothing after that. */
  close(): void;
}

/** Begins to follow an engine's KV events, from all that it says they come from. */
export type OpenEngineFeed = (
  sources: readonly KvEventSource[],
  api: EngineApi,
  adapter: EngineAdapter,
  receiver: FeedReceiver,
  log: Logger,
) => Feed;

/**
 * Hands a batch on, and tells where it cannot be read.
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
