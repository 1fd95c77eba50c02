import type { Salt } from "#router-wasm";
import type { MediaStrings } from "../../media/excise.ts";
import type { Step } from "../../media/fields.ts";
import type { EngineMember, EngineTarget } from "../../models/members/engine-member.ts";
import type { EngineSide } from "../../models/model.ts";
import type { HttpHead, HttpHeader, HttpTransport, WireReply } from "../../wire/types.ts";
import type { LifeContext, LifeJob } from "../life.ts";
import type { Placement } from "../placement.ts";
import type { Continuation } from "./continuation.ts";
import type { EventApi } from "./event-api.ts";

/** What requests to engines share. */
export interface WireContext extends LifeContext {
  readonly transport: HttpTransport;
}

/** A request that is forwarded to an attached engine. */
export interface WireJob extends LifeJob<EngineMember> {
  readonly model: EngineSide;
  /** The model or adapter name in the request, if it has one. */
  readonly modelName: string | undefined;
  readonly salt: Salt | undefined;
  readonly method: string;
  /** Starts with `/v1`, and includes the query. */
  readonly path: string;
  readonly headers: readonly HttpHeader[];
  /** Whether the request may be sent to an engine; absent: to any. */
  isFit?(engine: EngineTarget): boolean;
  /**
   * The body for an engine, which is the client's unless kinds of engines name its fields differently.
   * @param continued the client's body changed to continue an answer
   */
  bodyFor(engine: EngineTarget, continued?: Uint8Array): Uint8Array | undefined;
  /** What the bodies have stand-ins for; undefined if they are whole. */
  readonly media: MediaStrings | undefined;
  /** Those of its media that encode engines can encode, in the order of the prompt. */
  readonly encodable: readonly EncodableMedium[];
  /** How many media it has. */
  readonly mediaCount: number;
  /** The parsed body, if it is a JSON object. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
  /** Whether a prefill engine can compute its prompt. */
  readonly isDividable: boolean;
  /** Name of the only engine that can answer, because it holds the resource in question. */
  readonly engine: string | undefined;
  /** Called with the id of the resource that the request makes the engine keep, for requests that create one. */
  readonly onResource: ((id: string, engine: string) => void) | undefined;
  /** Longest valid unstreamed answer in bytes; undefined for no limit. */
  readonly longestAnswer: number | undefined;
  /** The API of the event stream; undefined if streams are not inspected. */
  readonly events: EventApi | undefined;
  /** How another engine can continue a broken stream; undefined if none can. */
  readonly continuation: Continuation | undefined;
  /** How many choices a complete answer has. */
  readonly choices: number;
}

/** A medium that can be encoded by another engine than that which computes the prompt. */
export interface EncodableMedium {
  readonly id: string;
  /** Whether engines know it by its id. */
  readonly isKnown: boolean;
  readonly kind: "image" | "audio" | "video";
  /** Where its content part is in the body. */
  readonly steps: readonly Step[];
  /** The part for an encoder. */
  readonly part: Readonly<Record<string, unknown>>;
  /** Whether the part in the body names the id; if not, the engine computes the same one itself. */
  readonly takesId: boolean;
  /** How many tokens of the prompt it is, and where they end. */
  readonly tokens: number;
  readonly end: number;
}

/** Receives the answer. */
export interface WireOutput {
  /** Starts the answer to the client. Called at most once. */
  reply(head: HttpHead, placement: Placement): WireReply;
  /** The client has the whole answer, but its usage is still being counted; `onSettled` follows. */
  onAnswered(): void;
  /** Called once at the end, with an HTTP status (499 if the client disconnected) and the usage. */
  onSettled(status: number, usage?: { promptTokens: number; completionTokens: number }): void;
  /** It failed before anything was sent. */
  onFailure(error: Error): void;
  /** Called instead of `onSettled` and `onFailure` if another model may answer. */
  onFallback(error: Error): void;
}
