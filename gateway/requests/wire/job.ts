import type { Salt } from "#router-wasm";
import type { ForwardModel } from "../../models/forward-model.ts";
import type { RoutePreferences } from "../../routing/preferences.ts";
import type { HttpHead, HttpHeader, WireReply } from "../../wire/types.ts";
import type { Placement } from "../tokens/job.ts";
import type { Continuation } from "./continuation.ts";
import type { EventApi } from "./event-api.ts";

/** A request that goes to an attached engine as it came. */
export interface ForwardJob {
  readonly requestId: string;
  readonly model: ForwardModel;
  /** The name by which it asks engines for the model, or for an adapter on it, where it names any. */
  readonly modelName: string | undefined;
  /** The prompt's ids, as the model's prompt reader gives them. */
  readonly prompt: Uint32Array;
  readonly salt: Salt | undefined;
  readonly preferences: RoutePreferences;
  readonly method: string;
  /** From `/v1` on, with the query. */
  readonly path: string;
  readonly headers: readonly HttpHeader[];
  readonly body: Uint8Array | undefined;
  /** The only engine that will do, by its name: it has what the request speaks of. */
  readonly engine: string | undefined;
  /** Told the id of what the engine now keeps, for requests that make it keep something. */
  readonly onResource: ((id: string, engine: string) => void) | undefined;
  /** Bytes beyond which a whole answer is not one of this kind; undefined where any length is right. */
  readonly longestAnswer: number | undefined;
  /** Whether an engine may be asked although another one may have acted on the request already. */
  readonly isRepeatable: boolean;
  /** Whether another model is asked where this one cannot answer. */
  readonly hasFallback: boolean;
  /** What an event stream of the answer is made of; undefined where anything goes. */
  readonly events: EventApi | undefined;
  /** How a broken stream goes on elsewhere; undefined where it cannot. */
  readonly continuation: Continuation | undefined;
  /** How many choices a whole answer has. */
  readonly choices: number;
}

/** Where the answer goes. */
export interface ForwardOutput {
  /** Begins the answer to the client; called once at most. */
  reply(head: HttpHead, placement: Placement): WireReply;
  /** The client has all of it, but what it took is still to be counted: `onSettled` follows. */
  onAnswered(): void;
  /** Told once how it ended: an HTTP status (499 where the client went away), and what the answer took. */
  onSettled(status: number, usage?: { promptTokens: number; completionTokens: number }): void;
  /** It failed before anything was sent. */
  onFailure(error: Error): void;
  /** In the place of `onSettled` and `onFailure`, where the job has a fallback for such an error. */
  onPassedOn(error: Error): void;
}

/** How hard a gateway tries, and how long it waits. */
export interface ForwardOptions {
  /** Longest time to take a connection, in milliseconds. */
  readonly connectMs: number;
  /** Longest time from the request to the first byte of the answer's body. */
  readonly firstByteMs: number;
  /** Longest time between two pieces of an answer. */
  readonly idleMs: number;
  /** Longest time for all of it. */
  readonly totalMs: number;
  /** Further attempts before anything of an answer has been sent. */
  readonly retries: number;
  /** How often a broken stream may move to another engine. */
  readonly migrationLimit: number;
}

export const DEFAULT_FORWARDING: ForwardOptions = {
  connectMs: 2_000,
  firstByteMs: 300_000,
  idleMs: 60_000,
  totalMs: 600_000,
  retries: 3,
  migrationLimit: 3,
};
