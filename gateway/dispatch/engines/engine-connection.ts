import type { Logger } from "#runtime";
import type { EngineAdapter, EngineApi, EngineProfile, KvEventSource, Lack } from "../../engines/types.ts";
import type { EngineSpec, HealthOptions } from "./engine-spec.ts";
import { defaultEngineName, kvEventSources } from "./engine-spec.ts";
import type { EngineWatch, WatchedEngine } from "./engine-watch.ts";
import type { KvFeed, KvFeedReceiver, OpenKvFeed } from "./kv-feed.ts";
import { type ObservedAnswer, ObservedLacks } from "./observed-lacks.ts";
import { RequestHealth } from "./request-health.ts";

export type EngineState = "connecting" | "ready" | "down" | "draining" | "gone";

/** What the connection needs from outside. */
export interface EngineConnectionDependencies {
  readonly health: HealthOptions;
  readonly watch: EngineWatch;
  /** Undefined on runtimes that can follow no KV events: what engines hold is predicted there. */
  readonly openKvFeed: OpenKvFeed | undefined;
  readonly log: Logger;
  createApi(spec: EngineSpec): EngineApi;
  probe(api: EngineApi): Promise<{ adapter: EngineAdapter; profile: EngineProfile }>;
}

/** Hears what becomes of an engine. */
export interface EngineListener extends KvFeedReceiver {
  /** It is there, for the first time or after it was started anew: nothing that was known of it holds. */
  onLearnt(profile: EngineProfile): void;
  /** Whether requests can go to it has changed. */
  onState(state: EngineState): void;
  /** KV events that should come do not (true), or do after all. */
  onSilence(isSilent: boolean): void;
  /** Whether there is another engine for its requests: the only one is not set aside, but for being out of reach. */
  hasOthers(): boolean;
}

/**
 * The gateway's line to one attached engine: finds out what it is, follows its KV events, and knows whether it is
 * well, from checks of its own and from what becomes of requests.
 */
export class EngineConnection implements WatchedEngine {
  readonly spec: EngineSpec;
  readonly name: string;
  readonly api: EngineApi;
  /** Scheme, host and port: where requests go. */
  readonly origin: string;
  /** What comes before `/v1` in the engine's paths. */
  readonly basePath: string;
  state: EngineState = "connecting";
  /** Why it is not ready, for people. */
  reason: string | undefined;
  profile: EngineProfile | undefined;
  adapter: EngineAdapter | undefined;
  /** Where its KV events come from. */
  sources: readonly KvEventSource[] = [];
  /** When it became ready last, on the clock of `performance.now()`. */
  readySince = 0;
  lookAt = 0;
  readonly #dependencies: EngineConnectionDependencies;
  readonly #listener: EngineListener;
  readonly #log: Logger;
  #feed: KvFeed | undefined;
  #observed: ObservedLacks | undefined;
  readonly #requests: RequestHealth;
  /** How long it is left alone after the next attempt to learn it that fails, in milliseconds. */
  #retryMs: number;
  /** Checks that have failed in a row. */
  #failures = 0;

  constructor(spec: EngineSpec, dependencies: EngineConnectionDependencies, listener: EngineListener) {
    this.spec = spec;
    this.name = spec.name ?? defaultEngineName(spec.url);
    const { origin, pathname } = new URL(spec.url);
    this.origin = origin;
    this.basePath = pathname.replace(/\/$/, "");
    this.#dependencies = dependencies;
    this.#listener = listener;
    this.#log = dependencies.log.child({ engine: this.name });
    this.api = dependencies.createApi(spec);
    this.#requests = new RequestHealth(dependencies.health.requests);
    this.#retryMs = dependencies.health.firstRetryMs;
  }

  /** What share of its requests it gets, 0 to 1: less than all for a while after it has come. */
  shareAt(now: number): number {
    const { slowStartMs } = this.#dependencies.health;
    return slowStartMs <= 0 ? 1 : Math.min(1, Math.max(LEAST_SHARE, (now - this.readySince) / slowStartMs));
  }

  get continuesMessages(): boolean {
    return this.profile?.continuesMessages ?? false;
  }

  get feed(): KvFeed | undefined {
    return this.#feed;
  }

  /** What it could do for routing but does not, as it says and as it turned out. */
  get lacks(): readonly Lack[] {
    const { spec, profile } = this;
    if (profile === undefined) return [];
    const isDeaf = this.#dependencies.openKvFeed === undefined && kvEventSources(spec, profile).length > 0;
    return [...profile.lacks, ...(isDeaf ? [DEAF] : []), ...(this.#observed?.lacks ?? [])];
  }

  /** A whole answer has come. */
  observe(answer: ObservedAnswer): void {
    this.#observed?.observe(answer);
  }

  /** Has the engine looked for, until `close`. */
  open(): void {
    this.#dependencies.watch.add(this);
  }

  /** Finds out what it is, or whether it still is that. */
  look(): Promise<void> {
    const { adapter, state } = this;
    const isKnown = adapter !== undefined && (state === "ready" || state === "draining");
    return isKnown ? this.#check(adapter) : this.#tryToLearn();
  }

  /** No new requests; those that run may end. */
  drain(): void {
    if (this.state !== "gone") this.#set("draining");
  }

  close(): void {
    if (this.state === "gone") return;
    this.#feed?.close();
    this.#set("gone");
    this.#dependencies.watch.wake(this);
  }

  /** A request has had its answer, or a part of it. */
  reportSuccess(): void {
    this.#requests.onSuccess();
  }

  /**
   * A request failed by the engine's fault.
   * @param isUnreachable whether not even a connection came about: then it is looked at now
   */
  reportFailure(reason: string, isUnreachable: boolean): void {
    const isBad = this.#requests.onFailure();
    if (this.state !== "ready") return;
    if (isUnreachable) this.#setDown(reason, 0);
    else if (isBad && this.#listener.hasOthers()) this.#setDown(reason, jittered(this.#requests.trip()));
    else return;
    this.#dependencies.watch.wake(this);
  }

  async #tryToLearn(): Promise<void> {
    const { firstRetryMs, lastRetryMs } = this.#dependencies.health;
    try {
      const { adapter, profile } = await this.#dependencies.probe(this.api);
      if (this.state === "gone") return;
      this.#retryMs = firstRetryMs;
      this.#failures = 0;
      this.#learn(adapter, profile);
    } catch (error) {
      if (this.state === "gone") return;
      this.#setDown(messageOf(error), jittered(this.#retryMs));
      this.#retryMs = Math.min(this.#retryMs * 2, lastRetryMs);
    }
  }

  #learn(adapter: EngineAdapter, profile: EngineProfile): void {
    const { openKvFeed, health } = this.#dependencies;
    const isSame = this.profile !== undefined && isSameStart(this.profile, profile);
    this.adapter = adapter;
    this.profile = profile;
    this.sources = openKvFeed === undefined ? [] : kvEventSources(this.spec, profile);
    this.reason = undefined;
    if (!isSame) {
      this.#feed?.close();
      this.#listener.onLearnt(profile);
      this.#feed = openKvFeed?.(this.sources, this.api, adapter, this.#listener, this.#log);
      this.#observed = new ObservedLacks(adapter, this.sources, this.#feed, (lack, isLacking) =>
        this.#onLack(lack, isLacking),
      );
    }
    this.readySince = performance.now();
    this.lookAt = this.readySince + jittered(health.intervalMs);
    if (this.state !== "draining") this.#set("ready");
  }

  #onLack({ code, what, flag }: Lack, isLacking: boolean): void {
    if (isLacking)
      this.#log.warn(`an engine lacks what routing needs: ${what}`, { code, ...(flag && { flag }) });
    else this.#log.info("an engine does what it seemed to lack", { code });
    if (code === "kv-events") this.#listener.onSilence(isLacking);
  }

  /** Whether an engine that was well still is, and still the same. */
  async #check(adapter: EngineAdapter): Promise<void> {
    const { intervalMs, timeoutMs, failures: limit } = this.#dependencies.health;
    const before = this.state;
    let failure: string | undefined;
    let isAnother = false;
    try {
      const { startedAt } = await within(timeoutMs, adapter.readLoad(this.api));
      isAnother = isAnotherStart(this.profile?.startedAt, startedAt);
    } catch (error) {
      failure = messageOf(error);
    }
    // What requests have found out meanwhile counts.
    if (this.state !== before) return;
    this.#failures = failure === undefined ? 0 : this.#failures + 1;
    this.lookAt = performance.now() + jittered(intervalMs);
    if (isAnother) await this.#tryToLearn();
    else if (failure !== undefined && this.#failures >= limit) this.#setDown(failure, 0);
  }

  /** @param pauseMs how long it is left alone; one that drains is looked at as before */
  #setDown(reason: string, pauseMs: number): void {
    if (this.state === "ready") this.#log.warn("set an engine aside", { reason });
    else if (this.reason !== reason) this.#log.info("an engine cannot be reached yet", { reason });
    this.reason = reason;
    const isDraining = this.state === "draining";
    this.lookAt = performance.now() + (isDraining ? this.#dependencies.health.intervalMs : pauseMs);
    if (!isDraining) this.#set("down");
  }

  #set(state: EngineState): void {
    if (this.state === state) return;
    this.state = state;
    this.#listener.onState(state);
  }
}

/** @throws Error where it takes longer */
function within<Value>(ms: number, promise: Promise<Value>): Promise<Value> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`The engine did not answer a check within ${ms / 1000} s.`)),
      ms,
    );
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const DEAF: Lack = {
  code: "kv-events",
  what: "the gateway cannot follow its KV events on this runtime, so what its cache holds is predicted",
  flag: undefined,
};

/** What an engine gets that has just come. */
const LEAST_SHARE = 0.1;

/** Up to a quarter more or less, so that many gateways and engines do not keep step. */
const jittered = (ms: number) => ms * (0.75 + Math.random() / 2);

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Clocks of start are in seconds and steady; a small difference is rounding. */
const isAnotherStart = (one: number | undefined, other: number | undefined) =>
  one !== undefined && other !== undefined && Math.abs(one - other) > 1;

/** Whether what was learnt before still holds: the same process, serving the same. */
function isSameStart(before: EngineProfile, now: EngineProfile): boolean {
  if (before.startedAt === undefined || isAnotherStart(before.startedAt, now.startedAt)) return false;
  const { lacks: _lacks, ...one } = before;
  const { lacks: _others, ...other } = now;
  return JSON.stringify(one) === JSON.stringify(other);
}
