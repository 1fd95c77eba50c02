import type { Logger } from "#runtime";
import type { EngineAdapter, EngineApi, EngineProfile } from "../../engines/types.ts";
import type { FeedReceiver, OpenEngineFeed } from "../../feeds/feed.ts";
import type { EngineSpec, HealthOptions } from "./engine-spec.ts";
import type { EngineState, EngineWatch } from "./engine-watch.ts";

/** What an engine connection needs. */
export interface EngineConnectionDependencies {
  readonly health: HealthOptions;
  readonly watch: EngineWatch;
  /** Undefined on runtimes that cannot receive KV events: engines' caches are predicted there. */
  readonly openKvFeed: OpenEngineFeed | undefined;
  readonly log: Logger;
  /** @param timeoutMs longest time of a request in place of the usual one */
  createApi(spec: EngineSpec, timeoutMs?: number): EngineApi;
  probe(api: EngineApi): Promise<{ adapter: EngineAdapter; profile: EngineProfile }>;
}

/** Receives an engine's changes. */
export interface EngineConnectionListener extends FeedReceiver {
  /**
   * Its profile has become known, or has changed.
   * @param isFresh whether it is new or has restarted, so that earlier state is obsolete
   */
  onProbed(profile: EngineProfile, isFresh: boolean): void;
  /** Its state has changed. */
  onState(state: EngineState): void;
  /** It has passed a health check, and is ready. */
  onHealthy(): void;
  /** Expected KV events are missing, or have resumed: `isPredicted` has changed. */
  onSilence(): void;
  /** Whether another engine can take its requests: the only one is set aside only if it is unreachable. */
  hasOthers(): boolean;
}
