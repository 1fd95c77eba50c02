import type { Salt } from "#router-wasm";
import type { Assignment, Plan } from "./plan.ts";
import type { RoutePreferences } from "./preferences.ts";
import type { Prompt } from "./prompt.ts";
import type { RoutedWorker } from "./workers.ts";

export interface RouteRequest<Worker extends RoutedWorker> {
  readonly prompt: Prompt;
  readonly requestId: string;
  /** Separates its KV blocks from those of other requests: the LoRA adapter, a cache namespace. */
  readonly salt?: Salt | undefined;
  readonly preferences: RoutePreferences;
  /** Workers not to be chosen, such as those that have already failed the request. */
  readonly excluded: readonly Worker[];
  /** Whether a prefill worker, if it computes the prompt, does it all, because one token is wanted. */
  readonly isPrefillOnly?: boolean | undefined;
  /** Whether a prefill worker can compute the prompt. Default: no. */
  readonly remotePrefill?: RemotePrefill | undefined;
}

/** `avoided`: only if no worker does it all itself, because an earlier attempt with a prefill worker has failed. */
export type RemotePrefill = "possible" | "avoided";

/** What decides to which worker a request would go. */
export type PeekRequest = Pick<RouteRequest<RoutedWorker>, "prompt" | "preferences">;

/** How a routed request ended on its worker; `moved` if it was retried or continued elsewhere. */
export type RouteOutcome = "finished" | "failed" | "cancelled" | "moved";

/**
 * A booked plan, through which the request's progress is reported to the router. Its own fields are those of the decode
 * worker, which answers the request.
 */
export interface Route<Worker extends RoutedWorker> extends Assignment<Worker> {
  readonly plan: Plan<Worker>;
  /** The prefill worker has failed: the plan goes on without it, and the decode worker computes the prompt itself. */
  prefillHere(): void;
  firstToken(): void;
  grow(blocks: number): void;
  /** The engine has reported how many prompt tokens it took from its cache. */
  report(cachedTokens: number): void;
  /** Frees the booked load; only the first call has an effect. */
  free(outcome: RouteOutcome): void;
}

/**
 * Why a request has no route: no acceptable worker is ready, all are busy, all have enough prefill waiting, or all prefill
 * workers have and the prompt is worth the wait for one.
 */
export type Unroutable = "none-ready" | "all-busy" | "must-wait" | "must-wait-for-prefill";
