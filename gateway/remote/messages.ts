import type { Salt } from "#router-wasm";
import type { MetricsSnapshot } from "#runtime";
import type { KeyUse } from "../access/key-ring.ts";
import type { EngineProfile, KvEventOrigin } from "../engines/types.ts";
import type { ApiErrorType } from "../kernel/errors.ts";
import type { Member } from "../models/members/member.ts";
import type { ObservedAnswer } from "../models/members/observed-limitations.ts";
import type { PrefillHereReason } from "../routing/disaggregation/options.ts";
import type { RoutePreferences } from "../routing/preferences.ts";
import type { Prompt } from "../routing/prompt.ts";
import type { RemotePrefill, RouteOutcome } from "../routing/route.ts";
import type { RoutedInstance } from "../routing/workers.ts";

/** A reliable, ordered channel of messages between two processes. */
export interface Channel<Out, In> {
  send(message: Out): void;
  /** Called with each message, including those that arrived before it was set. */
  set onMessage(onMessage: (message: In) => void);
}

/** An acceptor's end of the channel. */
export type AcceptorChannel = Channel<ToRouter, ToAcceptor>;

/** The router process's end of the channel. */
export type RouterChannel = Channel<ToAcceptor, ToRouter>;

/** Messages from an acceptor to the router process. The acceptor assigns the ids of requests. */
export type ToRouter =
  | ({ readonly type: "apply" } & ApplyMessage)
  /** The requested route is no longer needed, for example because the client disconnected. */
  | { readonly type: "leave"; readonly id: number }
  | { readonly type: "first-token"; readonly id: number }
  | { readonly type: "grow"; readonly id: number; readonly blocks: number }
  | { readonly type: "report"; readonly id: number; readonly cachedTokens: number }
  | { readonly type: "free"; readonly id: number; readonly outcome: RouteOutcome }
  /** Progress of a route's prefill worker. */
  | {
      readonly type: "prefill-computed";
      readonly id: number;
      readonly cachedTokens: number | undefined;
      readonly microseconds: number;
    }
  | { readonly type: "prefill-transferred"; readonly id: number; readonly microseconds: number | undefined }
  | { readonly type: "prefill-free"; readonly id: number }
  /** The prefill worker has failed; see `Route.prefillHere`. */
  | { readonly type: "prefill-here"; readonly id: number }
  /** `member` is the name of a worker or an engine. */
  | { readonly type: "success"; readonly member: string }
  | {
      readonly type: "failure";
      readonly member: string;
      readonly reason: string;
      readonly isUnreachable: boolean;
    }
  | { readonly type: "reread-models"; readonly engine: string }
  | { readonly type: "observe"; readonly engine: string; readonly answer: ObservedAnswer }
  | { readonly type: "remember"; readonly resource: string; readonly engine: string }
  | { readonly type: "find"; readonly id: number; readonly resource: string }
  /** Which kind of member would get the request now? */
  | ({ readonly type: "peek"; readonly id: number } & Pick<ApplyMessage, "model" | "prompt" | "preferences">)
  | { readonly type: "ask"; readonly id: number; readonly request: AskedRequest }
  /** A key's use in this process. */
  | ({ readonly type: "used" } & KeyUse)
  /** This acceptor's requests in flight. */
  | { readonly type: "inflight"; readonly count: number }
  | { readonly type: "metrics"; readonly id: number; readonly metrics: MetricsSnapshot };

/** Messages from the router process to an acceptor. */
export type ToAcceptor =
  | { readonly type: "engine"; readonly engine: EngineNews }
  | { readonly type: "engine-gone"; readonly name: string }
  | ({
      readonly type: "route";
      readonly id: number;
      readonly prefill?: AssignmentMessage;
      /** See `Plan.prefillHere`. */
      readonly prefillHere?: PrefillHereReason | undefined;
    } & AssignmentMessage)
  | { readonly type: "refused"; readonly id: number; readonly error: ErrorMessage }
  | { readonly type: "found"; readonly id: number; readonly engine: string | undefined }
  | { readonly type: "peeked"; readonly id: number; readonly kind: Member["kind"] }
  | { readonly type: "answer"; readonly id: number; readonly answer: AskedAnswer }
  | ({ readonly type: "used" } & KeyUse)
  /** All other acceptors' requests in flight. */
  | { readonly type: "inflight-elsewhere"; readonly count: number }
  | { readonly type: "read-metrics"; readonly id: number }
  /** The gateway is about to stop: clients should stop using their connections. */
  | { readonly type: "draining" };

/** A member's part in a request. */
export interface AssignmentMessage {
  readonly engine: string;
  readonly rank: number;
  readonly overlapBlocks: number;
}

/** A request for a route. */
export interface ApplyMessage {
  readonly id: number;
  readonly model: string;
  readonly prompt: Prompt;
  readonly requestId: string;
  readonly salt: Salt | undefined;
  readonly preferences: Omit<RoutePreferences, "deadlineAt">;
  /** Milliseconds until the deadline; relative, because the two processes' clocks differ. */
  readonly leftMs: number | undefined;
  /** Names of the members that must not be chosen. */
  readonly excluded: readonly string[];
  readonly remotePrefill: RemotePrefill | undefined;
}

/** What an acceptor needs to know about an engine. */
export interface EngineNews {
  readonly name: string;
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly kvLeaseMs: number | undefined;
  readonly isReady: boolean;
  /** Why it is considered hung, if it is. */
  readonly hungFor: string | undefined;
  /** Whether its requests should move to other engines. */
  readonly isEvicting: boolean;
  readonly profile: EngineProfile;
  readonly sources: readonly KvEventOrigin[];
  readonly models: readonly {
    readonly name: string;
    readonly blockSize: number;
    readonly instance: RoutedInstance;
  }[];
}

/** A serialized `ApiError`. */
export interface ErrorMessage {
  readonly status: number;
  readonly type: ApiErrorType;
  readonly message: string;
  readonly param: string | null;
  readonly code: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** A serialized request for the router process to answer. */
export interface AskedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array | undefined;
}

export interface AskedAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}
