import type { Change } from "../conversations/changes.ts";
import type { ResponseObject } from "./response.ts";
import type { PlainItem } from "./schemas.ts";

/** A response that can be retrieved and continued. */
export interface StoredResponse {
  /** Id of the key that it belongs to; empty if clients need none. */
  readonly owner: string;
  readonly response: ResponseObject;
  /** What the request added to the conversation. */
  readonly input: readonly PlainItem[];
}

/** Where responses and conversations are kept. */
export interface ResponseStore {
  put(stored: StoredResponse): Promise<void>;
  /**
   * Stores how a response that was put in progress has ended. Only the first end counts, whichever gateway stores it, and
   * none after the response was deleted.
   * @returns whether this one counts
   */
  settle(stored: StoredResponse): Promise<boolean>;
  get(id: string): Promise<StoredResponse | undefined>;
  /** Begins to keep a conversation. */
  begin(id: string, created: Change): Promise<void>;
  /** Changes a conversation; those of several gateways at once are all kept. @returns false if there is none of this id */
  change(id: string, change: Change): Promise<boolean>;
  /** A conversation's changes, the oldest first; undefined if there is none of this id. */
  changes(id: string): Promise<readonly Change[] | undefined>;
  /** Deletes a response and its events, or a conversation. */
  delete(id: string): Promise<void>;
  /** Begins to keep the events of a response in the background, or of a stream that can be resumed. */
  openLog(id: string, owner: string): Promise<ResponseLog>;
  /**
   * Its events from one on, as they come, until the last one. They throw an ApiError if their maker dies before.
   * @param from how many are left out
   * @returns undefined if none are kept for this owner
   */
  follow(
    id: string,
    owner: string,
    from: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<string> | undefined>;
  /** Asks whoever makes a response to stop, in whichever process. */
  cancel(id: string): Promise<void>;
  close(): void;
}

/** The events of an answer that is being made. */
export interface ResponseLog {
  /** Aborts when the response is cancelled. */
  readonly cancelled: AbortSignal;
  /** @param event in the format of event streams */
  append(event: string): void;
  /** There are no more events. */
  end(): Promise<void>;
}
