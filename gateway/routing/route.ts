import type { Salt } from "#router-wasm";
import type { Placed, Plan } from "./plan.ts";
import type { RoutePreferences } from "./preferences.ts";
import type { Prompt } from "./prompt.ts";
import type { RoutedWorker } from "./workers.ts";

export interface RouteRequest<Worker extends RoutedWorker> {
  readonly prompt: Prompt;
  readonly requestId: string;
  /** What keeps its KV blocks apart from those of others: the LoRA adapter, a cache namespace. */
  readonly salt?: Salt | undefined;
  readonly preferences: RoutePreferences;
  /** Workers that have refused the request already. */
  readonly excluded: readonly Worker[];
}

/** How a request that was routed has ended; `moved` where its worker refused it before it began. */
export type RouteOutcome = "finished" | "failed" | "cancelled" | "moved";

/**
 * A plan, booked: the router's handle for what happens to the request afterwards. It is the decoding worker's part of the
 * plan itself, since that worker answers the request.
 */
export interface Route<Worker extends RoutedWorker> extends Placed<Worker> {
  readonly plan: Plan<Worker>;
  firstToken(): void;
  grow(blocks: number): void;
  /** The engine has told how many tokens of the prompt it took from its cache. */
  report(cachedTokens: number): void;
  /** Frees the load; only the first call counts. */
  free(outcome: RouteOutcome): void;
}

/** Why a request has no route: no worker that will do is ready; all are busy; all have enough waiting already. */
export type Unroutable = "none-ready" | "all-busy" | "must-wait";
