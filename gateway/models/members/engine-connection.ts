import { type Logger, messageOf } from "#runtime";
import { EngineApiError, optional } from "../../engines/index.ts";
import type {
  EngineAdapter,
  EngineApi,
  EngineModel,
  EngineProfile,
  KvEventOrigin,
  Limitation,
} from "../../engines/types.ts";
import type { Feed } from "../../feeds/feed.ts";
import { isLocalExhaustion } from "../../kernel/exhaustion.ts";
import { answeredWithin, jittered } from "./engine-checks.ts";
import type { EngineConnectionDependencies, EngineConnectionListener } from "./engine-listener.ts";
import { isSameService, mayBeSameServer, namesOf } from "./engine-profile.ts";
import { defaultEngineName, type EngineSpec, kvEventSources, slowStartShare } from "./engine-spec.ts";
import { EngineStarts } from "./engine-starts.ts";
import type { EngineState, WatchedEngine } from "./engine-watch.ts";
import { Eviction } from "./eviction.ts";
import { RequestListeners } from "./member.ts";
import { ModelSchedule } from "./model-schedule.ts";
import {
  NO_KV_FEED,
  type ObservedAnswer,
  ObservedLimitations,
  REPLICAS,
  roleConflict,
} from "./observed-limitations.ts";
import { RequestHealth } from "./request-health.ts";

/**
 * The gateway's connection to one attached engine: probes it, receives its KV events, and tracks its health with
 * active checks and the outcomes of requests.
 */
export class EngineConnection implements WatchedEngine {
  spec: EngineSpec;
  readonly name: string;
  readonly api: EngineApi;
  /** Scheme, host and port for requests. */
  readonly origin: string;
  /** The prefix before `/v1` in the engine's paths. */
  readonly basePath: string;
  state: EngineState = "connecting";
  /** Why it is not ready. */
  reason: string | undefined;
  profile: EngineProfile | undefined;
  adapter: EngineAdapter | undefined;
  /** The sources of its KV events. */
  sources: readonly KvEventOrigin[] = [];
  /** When it became ready last, on the clock of `performance.now()`. */
  readySince = 0;
  nextCheckAt = 0;
  /** Tokens per block in its KV events, once one has arrived. */
  eventBlockSize: number | undefined;
  readonly hangs = new RequestListeners();
  readonly evictions = new RequestListeners();
  /** Why it is considered hung, if a check has found it so. */
  hungFor: string | undefined;
  /** Whether its requests should move to other engines, because it is leaving. */
  isEvicting = false;
  readonly #eviction = new Eviction(() => this.#evict());
  /** The same engine for health checks, which may take as long as their own timeout says. */
  readonly #checked: EngineApi;
  readonly #dependencies: EngineConnectionDependencies;
  readonly #listener: EngineConnectionListener;
  readonly #log: Logger;
  #feed: Feed | undefined;
  #observed: ObservedLimitations | undefined;
  readonly #requests: RequestHealth;
  readonly #starts = new EngineStarts();
  /** Whether a check has found that it restarted or was replaced, and it has not been probed since. */
  #isReplaced = false;
  readonly #models: ModelSchedule;
  /** When a request was last answered. */
  #answeredAt = Number.NEGATIVE_INFINITY;
  /** The backoff after the next failed probe, in milliseconds. */
  #retryMs: number;
  /** Consecutive failed checks. */
  #failures = 0;

  constructor(
    spec: EngineSpec,
    dependencies: EngineConnectionDependencies,
    listener: EngineConnectionListener,
  ) {
    this.spec = spec;
    this.name = spec.name ?? defaultEngineName(spec.url);
    const { origin, pathname } = new URL(spec.url);
    this.origin = origin;
    this.basePath = pathname.replace(/\/$/, "");
    this.#dependencies = dependencies;
    this.#listener = listener;
    this.#log = dependencies.log.child({ engine: this.name });
    this.api = dependencies.createApi(spec);
    this.#checked = dependencies.createApi(spec, dependencies.health.timeoutMs + CHECK_SLACK_MS);
    this.#requests = new RequestHealth(dependencies.health.requests);
    this.#models = new ModelSchedule(dependencies.health.modelsMs);
    this.#retryMs = dependencies.health.firstRetryMs;
  }

  /** Its share of requests, 0 to 1: below 1 during slow start. */
  shareAt(now: number): number {
    return slowStartShare(now - this.readySince, this.#dependencies.health.slowStartMs);
  }

  get continuesMessages(): boolean {
    return this.profile?.continuesMessages ?? false;
  }

  get feed(): Feed | undefined {
    return this.#feed;
  }

  /** Tokens per block, according to its KV events, else its operator, else the engine itself. */
  get blockSize(): number | undefined {
    return this.eventBlockSize ?? this.spec.blockSize ?? this.profile?.blockSize;
  }

  /** Whether its cache is predicted from the requests sent to it, because it sends no KV events. */
  get isPredicted(): boolean {
    return this.sources.length === 0 || (this.#observed?.isSilent ?? false);
  }

  /** What it lacks for routing, as reported by the engine and as observed. */
  get limitations(): readonly Limitation[] {
    const { spec, profile } = this;
    if (profile === undefined) return [];
    const lacksFeed = this.#dependencies.openKvFeed === undefined && kvEventSources(spec, profile).length > 0;
    return [
      ...profile.limitations,
      ...(lacksFeed ? [NO_KV_FEED] : []),
      ...(this.#starts.hasReplicas ? [REPLICAS] : []),
      ...roleConflict(this.adapter, spec, profile),
      ...(this.#observed?.limitations ?? []),
    ];
  }

  /** Observes a complete answer. */
  observe(answer: ObservedAnswer): void {
    this.#observed?.observe(answer);
  }

  /** Notes KV events that cannot be read. @param what the problem, as a clause */
  noteUnreadable(what: string): void {
    this.#observed?.noteUnreadable(what);
  }

  /** Probes and checks the engine until `close`. */
  open(): void {
    this.#dependencies.watch.add(this);
  }

  /** Probes the engine, or checks that it is still healthy and the same. */
  check(): Promise<void> {
    const { adapter, state } = this;
    const isKnown = adapter !== undefined && (state === "ready" || state === "draining");
    return isKnown ? this.#checkHealth(adapter) : this.#probe();
  }

  /**
   * Stops new requests; those in flight may complete.
   * @param withinMs after how long they move to other engines, if they can; undefined: never
   */
  drain(withinMs: number | undefined): void {
    if (this.state === "gone") return;
    if (withinMs !== undefined) this.#eviction.start(withinMs);
    this.#set("draining");
  }

  close(): void {
    if (this.state === "gone") return;
    this.#eviction.stop();
    this.#feed?.close();
    this.#set("gone");
    this.#dependencies.watch.wake(this);
  }

  /** A request was answered, or its client disconnected during the answer. */
  reportSuccess(): void {
    this.#answeredAt = performance.now();
    this.#requests.onSuccess();
  }

  /** Its models may have changed: reads them again soon, once for several calls. */
  rereadModels(): void {
    if (this.state !== "ready" || !this.#models.hasten() || this.nextCheckAt <= this.#models.dueAt) return;
    this.nextCheckAt = this.#models.dueAt;
    this.#dependencies.watch.wake(this);
  }

  /** Reads its models now, because they have changed. @throws EngineApiError */
  async refreshModels(): Promise<void> {
    const models = this.adapter && (await this.#readModels(this.adapter));
    if (models !== undefined && this.state !== "gone") await this.#noteModels(models);
  }

  /**
   * A request failed because of the engine.
   * @param isUnreachable whether it could not be connected to; then it is checked at once
   */
  reportFailure(reason: string, isUnreachable: boolean): void {
    const isBad = this.#requests.onFailure();
    if (this.state !== "ready") return;
    if (isUnreachable) this.#setDown(reason, 0);
    else if (isBad && this.#listener.hasOthers()) this.#setDown(reason, jittered(this.#requests.trip()));
    else return;
    this.#dependencies.watch.wake(this);
  }

  async #probe(): Promise<void> {
    const { firstRetryMs, lastRetryMs } = this.#dependencies.health;
    try {
      const { adapter, profile } = await this.#dependencies.probe(this.api);
      // An engine may answer a probe without being healthy.
      await adapter.readLoad(this.api);
      if (this.state === "gone") return;
      this.#retryMs = firstRetryMs;
      this.#failures = 0;
      this.#onProbed(adapter, profile);
    } catch (error) {
      if (this.state === "gone") return;
      this.#setDown(messageOf(error), jittered(this.#retryMs));
      this.#retryMs = Math.min(this.#retryMs * 2, lastRetryMs);
    }
  }

  #onProbed(adapter: EngineAdapter, profile: EngineProfile): void {
    const { openKvFeed, health } = this.#dependencies;
    const isNew = this.#starts.isNew(profile.startedAt) || this.#isReplaced;
    const isFresh = isNew || !isSameService(this.profile, profile);
    this.#isReplaced = false;
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
    this.#listener.onProbed(profile, isFresh);
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
    this.nextCheckAt = this.readySince + jittered(health.intervalMs);
    if (this.state !== "draining") this.#set("ready");
  }

  /** Subscribes to its KV events from the start, or from the oldest that it still has. */
  followEvents(): void {
    const { adapter, sources, api } = this;
    if (adapter === undefined || this.state === "gone") return;
    this.#feed?.close();
    this.#feed = this.#dependencies.openKvFeed?.(sources, api, adapter, this.#listener, this.#log);
  }

  #onLimitation({ code, what, flag }: Limitation, isThere: boolean): void {
    if (isThere)
      this.#log.warn(`an engine has a limitation for routing: ${what}`, { code, ...(flag && { flag }) });
    else this.#log.info("an engine's limitation is gone", { code });
    if (code === "kv-events") this.#listener.onSilence();
  }

  /** Checks whether a ready engine is still healthy, and still the same. */
  async #checkHealth(adapter: EngineAdapter): Promise<void> {
    const { intervalMs, timeoutMs, failures: limit } = this.#dependencies.health;
    const before = this.state;
    const begun = performance.now();
    let failure: string | undefined;
    let isHung = false;
    let models: readonly EngineModel[] | undefined;
    try {
      const { startedAt, models: reported } = await answeredWithin(
        timeoutMs,
        adapter.readLoad(this.#checked),
      );
      models = reported;
      // An engine that no longer reports its start time is of another kind.
      const hasStartTime = startedAt !== undefined;
      if (hasStartTime ? this.#starts.isNew(startedAt) : this.profile?.startedAt !== undefined)
        this.#isReplaced = true;
      else if (reported === undefined && begun >= this.#models.dueAt)
        models = await answeredWithin(timeoutMs, this.#readModels(adapter));
    } catch (error) {
      if (!this.#isInconclusive(error, begun)) failure = messageOf(error);
      isHung = error instanceof EngineApiError && error.code === "timeout";
    }
    // If requests have changed its state meanwhile, theirs counts.
    if (this.state !== before) return;
    this.#failures = failure === undefined ? 0 : this.#failures + 1;
    const pauseMs = failure === undefined ? intervalMs : Math.min(intervalMs, AFTER_FAILURE_MS);
    const now = performance.now();
    this.nextCheckAt = now + jittered(pauseMs);
    const { dueAt } = this.#models;
    if (failure === undefined && dueAt > now) this.nextCheckAt = Math.min(this.nextCheckAt, dueAt);
    if (this.#isReplaced) await this.#probe();
    else if (failure !== undefined && this.#failures >= limit) {
      this.hungFor = isHung ? failure : undefined;
      this.#setDown(failure, 0);
      if (isHung) this.hangs.notify(failure);
    } else {
      if (models !== undefined) await this.#noteModels(models);
      if (failure === undefined && this.state === "ready") this.#listener.onHealthy();
    }
  }

  /** Whether to ignore a failed check: it was rate-limited or not sent, or the engine has answered a request since. */
  #isInconclusive(error: unknown, since: number): boolean {
    const status = error instanceof EngineApiError ? error.status : undefined;
    return status === 429 || isLocalExhaustion(error) || (status === undefined && this.#answeredAt >= since);
  }

  /**
   * @returns undefined if it has no list, so that its models stay as they are
   * @throws EngineApiError if it does not answer, or no longer accepts the gateway's key
   */
  async #readModels(adapter: EngineAdapter): Promise<readonly EngineModel[] | undefined> {
    try {
      return await optional(adapter.readModels(this.#checked), KEY_STATUSES);
    } finally {
      this.#models.onRead();
    }
  }

  /** Applies changes to its models and adapters. If none is left, another engine may have replaced it. */
  async #noteModels(models: readonly EngineModel[]): Promise<void> {
    const { profile } = this;
    if (profile === undefined || JSON.stringify(profile.models) === JSON.stringify(models)) return;
    if (!mayBeSameServer(profile.models, models)) {
      this.#isReplaced = true;
      return this.#probe();
    }
    this.profile = { ...profile, models };
    this.#log.info("an engine's models have changed", { models: models.flatMap(namesOf).join(", ") });
    this.#listener.onProbed(this.profile, false);
  }

  #evict(): void {
    this.isEvicting = true;
    this.evictions.notify("it is leaving");
    this.#listener.onState(this.state);
  }

  /** @param pauseMs time until the next check; a draining engine keeps its usual interval */
  #setDown(reason: string, pauseMs: number): void {
    if (this.state === "ready") this.#log.warn("set an engine aside", { reason });
    else if (this.reason !== reason) this.#log.info("an engine cannot be reached yet", { reason });
    this.reason = reason;
    const isDraining = this.state === "draining";
    this.nextCheckAt = performance.now() + (isDraining ? this.#dependencies.health.intervalMs : pauseMs);
    if (!isDraining) this.#set("down");
  }

  #set(state: EngineState): void {
    if (this.state === state) return;
    this.state = state;
    this.#listener.onState(state);
  }
}

/** With these, an engine rejects the key. */
const KEY_STATUSES = [401, 403];
/** Longest interval after a failed check, so that a dead engine is detected within seconds. */
const AFTER_FAILURE_MS = 500;
/** A check's request ends after the check itself, whose message tells the timeout. */
const CHECK_SLACK_MS = 1_000;
