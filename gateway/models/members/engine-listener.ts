import type { Logger } from "#runtime";
import type { EngineAdapter, EngineApi, EngineProfile } from "../../engines/types.ts";
import type { FeedReceiver, OpenEngineFeed } from "../../feeds/feed.ts";
import type { EngineSpec, HealthOptions } from "./engine-spec.ts";
import type { EngineState, EngineWatch } from "./engine-watch.ts";

/** What the connection needs from outside. */
export interface EngineConnectionDependencies {
  readonly health: HealthOptions;
  readonly watch: EngineWatch;
  /** Undefined on runtimes that can follow no KV events: what engines hold is predicted there. */
  readonly openKvFeed: OpenEngineFeed | undefined;
  readonly log: Logger;
  createApi(spec: EngineSpec): EngineApi;
  probe(api: EngineApi): Promise<{ adapter: EngineAdapter; profile: EngineProfile }>;
}

/** Hears what becomes of an engine. */
export interface EngineListener extends FeedReceiver {
  /**
   * What it is has become known, or has changed.
   * @param isFresh whether it is there for the first time or was started anew: nothing that was known of it holds
   */
  onLearnt(profile: EngineProfile, isFresh: boolean): void;
  /** Whether requests can go to it has changed. */
  onState(state: EngineState): void;
  /** KV events that should come do not, or do after all: `isPredicted` has changed. */
  onSilence(): void;
  /** Whether there is another engine for its requests: the only one is not set aside, but for being out of reach. */
  hasOthers(): boolean;
}
