import type { Salt } from "#router-wasm";
import type { EngineMember } from "../../models/members/engine-member.ts";
import type { EngineSide } from "../../models/model.ts";
import type { HttpHead, HttpHeader, WireReply } from "../../wire/types.ts";
import type { LifeJob } from "../life.ts";
import type { Placement } from "../placement.ts";
import type { Continuation } from "./continuation.ts";
import type { EventApi } from "./event-api.ts";

/** A request that goes to an attached engine as it came. */
export interface WireJob extends LifeJob<EngineMember> {
  readonly model: EngineSide;
  /** The name by which it asks engines for the model, or for an adapter on it, where it names any. */
  readonly modelName: string | undefined;
  readonly salt: Salt | undefined;
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
  /** What an event stream of the answer is made of; undefined where anything goes. */
  readonly events: EventApi | undefined;
  /** How a broken stream goes on elsewhere; undefined where it cannot. */
  readonly continuation: Continuation | undefined;
  /** How many choices a whole answer has. */
  readonly choices: number;
}

/** Where the answer goes. */
export interface WireOutput {
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
