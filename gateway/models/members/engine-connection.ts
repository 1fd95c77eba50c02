import type { Logger } from "#runtime";
import { EngineApiError, optional } from "../../engines/index.ts";
import type {
  EngineAdapter,
  EngineApi,
  EngineModel,
  EngineProfile,
  KvEventSource,
  Limitation,
} from "../../engines/types.ts";
import type { Feed } from "../../feeds/feed.ts";
import { jittered, messageOf, within } from "./engine-checks.ts";
import type { EngineConnectionDependencies, EngineListener } from "./engine-listener.ts";
import { isSameService, mayBeSameServer, namesOf } from "./engine-profile.ts";
import { defaultEngineName, type EngineSpec, kvEventSources, slowStartShare } from "./engine-spec.ts";
import { EngineStarts } from "./engine-starts.ts";
import type { EngineState, WatchedEngine } from "./engine-watch.ts";
import { HangListeners } from "./member.ts";
import { ModelSchedule } from "./model-schedule.ts";
import { DEAF, type ObservedAnswer, ObservedLimitations, REPLICAS } from "./observed-limitations.ts";
import { RequestHealth } from "./request-health.ts";

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
  /** Tokens in a block of its KV events, once one has come. */
  eventBlockSize: number | undefined;
  readonly hangs = new HangListeners();
  /** Why it is taken for hung, since a check has found it so. */
  hungFor: string | undefined;
  readonly #dependencies: EngineConnectionDependencies;
  readonly #listener: EngineListener;
  readonly #log: Logger;
  #feed: Feed | undefined;
  #observed: ObservedLimitations | undefined;
  readonly #requests: RequestHealth;
  readonly #starts = new EngineStarts();
  /** Whether a check has found it started anew, and it has not been learnt since. */
  #isAnother = false;
  readonly #models: ModelSchedule;
  /** When a request had its answer last. */
  #answeredAt = Number.NEGATIVE_INFINITY;
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
    this.#models = new ModelSchedule(dependencies.health.modelsMs);
    this.#retryMs = dependencies.health.firstRetryMs;
  }

  /** What share of its requests it gets, 0 to 1: less than all for a while after it has come. */
  shareAt(now: number): number {
    return slowStartShare(now - this.readySince, this.#dependencies.health.slowStartMs);
  }

  get continuesMessages(): boolean {
    return this.profile?.continuesMessages ?? false;
  }

  get feed(): Feed | undefined {
    return this.#feed;
  }

  /** Tokens in a block: as its KV events say, else its operator, else itself; undefined where nobody does. */
  get blockSize(): number | undefined {
    return this.eventBlockSize ?? this.spec.blockSize ?? this.profile?.blockSize;
  }

  /** Whether what it holds is known from what it is sent alone, as no KV events come. */
  get isPredicted(): boolean {
    return this.sources.length === 0 || (this.#observed?.isSilent ?? false);
  }

  /** What it could do for routing but does not, as it says and as it turned out. */
  get limitations(): readonly Limitation[] {
    const { spec, profile } = this;
    if (profile === undefined) return [];
    const isDeaf = this.#dependencies.openKvFeed === undefined && kvEventSources(spec, profile).length > 0;
    return [
      ...profile.limitations,
      ...(isDeaf ? [DEAF] : []),
      ...(this.#starts.hasReplicas ? [REPLICAS] : []),
      ...(this.#observed?.limitations ?? []),
    ];
  }

  /** A whole answer has come. */
  observe(answer: ObservedAnswer): void {
    this.#observed?.observe(answer);
  }

  /** Something in its KV events cannot be read. @param what is wrong with it, as half a sentence */
  noteUnreadable(what: string): void {
    this.#observed?.noteUnreadable(what);
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

  /** A request has had its answer, or as much of it as its client waited for. */
  reportSuccess(): void {
    this.#answeredAt = performance.now();
    this.#requests.onSuccess();
  }

  /** It may serve other models than it listed last: they are read now, and once for all who say so. */
  rereadModels(): void {
    if (this.state !== "ready" || !this.#models.hasten() || this.lookAt <= this.#models.dueAt) return;
    this.lookAt = this.#models.dueAt;
    this.#dependencies.watch.wake(this);
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
      // It may say what it is and not be well.
      await adapter.readLoad(this.api);
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
    const isNew = this.#starts.isNew(profile.startedAt) || this.#isAnother;
    const isFresh = isNew || !isSameService(this.profile, profile);
    this.#isAnother = false;
    this.adapter = adapter;
    this.profile = profile;
    this.sources = openKvFeed === undefined ? [] : kvEventSources(this.spec, profile);
    this.reason = undefined;
    this.hungFor = undefined;
    if (isFresh) {
      this.#feed?.close();
      this.#feed = undefined;
      this.#observed = undefined;
    }
    this.#listener.onLearnt(profile, isFresh);
    if (isFresh) {
      this.followEvents();
      this.#observed = new ObservedLimitations(
        adapter,
        this.sources,
        () => this.#feed,
        (limitation, isThere) => this.#onLimitation(limitation, isThere),
      );
    }
    this.readySince = performance.now();
    this.#models.onRead();
    this.lookAt = this.readySince + jittered(health.intervalMs);
    if (this.state !== "draining") this.#set("ready");
  }

  /** Follows its KV events from the start, or from as far back as it still has them. */
  followEvents(): void {
    const { adapter, sources, api } = this;
    if (adapter === undefined || this.state === "gone") return;
    this.#feed?.close();
    this.#feed = this.#dependencies.openKvFeed?.(sources, api, adapter, this.#listener, this.#log);
  }

  #onLimitation({ code, what, flag }: Limitation, isThere: boolean): void {
    if (isThere)
      this.#log.warn(`an engine lacks what routing needs: ${what}`, { code, ...(flag && { flag }) });
    else this.#log.info("an engine does what it seemed to lack", { code });
    if (code === "kv-events") this.#listener.onSilence();
  }

  /** Whether an engine that was well still is, and still the same. */
  async #check(adapter: EngineAdapter): Promise<void> {
    const { intervalMs, timeoutMs, failures: limit } = this.#dependencies.health;
    const before = this.state;
    const begun = performance.now();
    let failure: string | undefined;
    let isHung = false;
    let models: readonly EngineModel[] | undefined;
    try {
      const { startedAt, models: told } = await within(timeoutMs, adapter.readLoad(this.api));
      models = told;
      // One that does not tell its start any more is of another kind.
      const isTold = startedAt !== undefined;
      if (isTold ? this.#starts.isNew(startedAt) : this.profile?.startedAt !== undefined)
        this.#isAnother = true;
      else if (told === undefined && begun >= this.#models.dueAt)
        models = await within(timeoutMs, this.#readModels(adapter));
    } catch (error) {
      if (!this.#isDisproved(error, begun)) failure = messageOf(error);
      isHung = error instanceof EngineApiError && error.code === "timeout";
    }
    // What requests have found out meanwhile counts.
    if (this.state !== before) return;
    this.#failures = failure === undefined ? 0 : this.#failures + 1;
    const pauseMs = failure === undefined ? intervalMs : Math.min(intervalMs, AFTER_FAILURE_MS);
    const now = performance.now();
    this.lookAt = now + jittered(pauseMs);
    const { dueAt } = this.#models;
    if (failure === undefined && dueAt > now) this.lookAt = Math.min(this.lookAt, dueAt);
    if (this.#isAnother) await this.#tryToLearn();
    else if (failure !== undefined && this.#failures >= limit) {
      this.hungFor = isHung ? failure : undefined;
      this.#setDown(failure, 0);
      if (isHung) this.hangs.tell(failure);
    } else if (models !== undefined) await this.#noteModels(models);
  }

  /** Whether a failed check says nothing: the engine refused it as one too many, or has answered a request meanwhile. */
  #isDisproved(error: unknown, since: number): boolean {
    const status = error instanceof EngineApiError ? error.status : undefined;
    return status === 429 || (status === undefined && this.#answeredAt >= since);
  }

  /**
   * @returns undefined where it cannot tell: then it goes on to serve those that it did
   * @throws EngineApiError where it does not answer, or does not take the gateway's key any more
   */
  async #readModels(adapter: EngineAdapter): Promise<readonly EngineModel[] | undefined> {
    try {
      return await optional(adapter.readModels(this.api), KEY_STATUSES);
    } finally {
      this.#models.onRead();
    }
  }

  /** Models and adapters come and go. Where none is left, another engine may have come in its place. */
  async #noteModels(models: readonly EngineModel[]): Promise<void> {
    const { profile } = this;
    if (profile === undefined || JSON.stringify(profile.models) === JSON.stringify(models)) return;
    if (!mayBeSameServer(profile.models, models)) {
      this.#isAnother = true;
      return this.#tryToLearn();
    }
    this.profile = { ...profile, models };
    this.#log.info("an engine serves other models now", { models: models.flatMap(namesOf).join(", ") });
    this.#listener.onLearnt(this.profile, false);
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

/** By which an engine says that it does not take the key. */
const KEY_STATUSES = [401, 403];
/** Longest pause after a check that failed: whether an engine is dead is found out in seconds. */
const AFTER_FAILURE_MS = 500;
