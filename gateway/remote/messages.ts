import type { Salt } from "#router-wasm";
import type { MetricsSnapshot } from "#runtime";
import type { KeyUse } from "../access/key-ring.ts";
import type { EngineProfile, KvEventSource } from "../engines/types.ts";
import type { ApiErrorType } from "../kernel/errors.ts";
import type { ObservedAnswer } from "../models/members/observed-limitations.ts";
import type { RoutePreferences } from "../routing/preferences.ts";
import type { Prompt } from "../routing/prompt.ts";
import type { RouteOutcome } from "../routing/route.ts";
import type { RoutedInstance } from "../routing/workers.ts";

/** What two processes tell each other: whole, in order, and without end as long as both live. */
export interface Channel<Out, In> {
  send(message: Out): void;
  /** Called with each message that comes, and with those that have come before it was set. */
  set onMessage(onMessage: (message: In) => void);
}

/** An acceptor's end of the channel. */
export type AcceptorChannel = Channel<ToRouter, ToAcceptor>;

/** The router process's end of the channel. */
export type RouterChannel = Channel<ToAcceptor, ToRouter>;

/** What an acceptor tells the router process. Ids of requests are the acceptor's own. */
export type ToRouter =
  | ({ readonly type: "apply" } & ApplyMessage)
  /** The client has gone, or nobody needs the route any more that was asked for. */
  | { readonly type: "leave"; readonly id: number }
  | { readonly type: "first-token"; readonly id: number }
  | { readonly type: "grow"; readonly id: number; readonly blocks: number }
  | { readonly type: "report"; readonly id: number; readonly cachedTokens: number }
  | { readonly type: "free"; readonly id: number; readonly outcome: RouteOutcome }
  /** By the name of a worker or an engine. */
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
  | { readonly type: "ask"; readonly id: number; readonly request: AskedRequest }
  /** A key has used so much of what a minute allows it. */
  | ({ readonly type: "used" } & KeyUse)
  /** Requests that this acceptor is answering. */
  | { readonly type: "inflight"; readonly count: number }
  | { readonly type: "metrics"; readonly id: number; readonly metrics: MetricsSnapshot };

/** What the router process tells an acceptor. */
export type ToAcceptor =
  | { readonly type: "engine"; readonly engine: EngineNews }
  | { readonly type: "engine-gone"; readonly name: string }
  | {
      readonly type: "route";
      readonly id: number;
      readonly engine: string;
      readonly rank: number;
      readonly overlapBlocks: number;
    }
  | { readonly type: "refused"; readonly id: number; readonly error: ErrorMessage }
  | { readonly type: "found"; readonly id: number; readonly engine: string | undefined }
  | { readonly type: "answer"; readonly id: number; readonly answer: AskedAnswer }
  | ({ readonly type: "used" } & KeyUse)
  /** Requests that all other acceptors are answering. */
  | { readonly type: "inflight-elsewhere"; readonly count: number }
  | { readonly type: "read-metrics"; readonly id: number }
  /** The gateway is about to stop: clients are told to use their connections no more. */
  | { readonly type: "draining" };

/** A request for a route. */
export interface ApplyMessage {
  readonly id: number;
  readonly model: string;
  readonly prompt: Prompt;
  readonly requestId: string;
  readonly salt: Salt | undefined;
  readonly preferences: Omit<RoutePreferences, "deadlineAt">;
  /** Milliseconds until the answer must be complete: the two processes' clocks differ. */
  readonly leftMs: number | undefined;
  /** Names of the engines that will not do. */
  readonly excluded: readonly string[];
}

/** What an acceptor has to know of an engine. */
export interface EngineNews {
  readonly name: string;
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly isReady: boolean;
  /** Why it is taken for hung, where it is. */
  readonly hungFor: string | undefined;
  readonly profile: EngineProfile;
  readonly sources: readonly KvEventSource[];
  readonly models: readonly {
    readonly name: string;
    readonly blockSize: number;
    readonly instance: RoutedInstance;
  }[];
}

/** An `ApiError` on its way. */
export interface ErrorMessage {
  readonly status: number;
  readonly type: ApiErrorType;
  readonly message: string;
  readonly param: string | null;
  readonly code: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** A request that the router process answers itself. */
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
