import type { KvEvent } from "#runtime";
import { Scheduler, type SchedulerOptions } from "#workers";
import { CacheLog } from "./cache-log.ts";
import { type Generation, Sequence } from "./sequence.ts";

export interface StandInRankOptions extends SchedulerOptions {
  interTokenMs: number;
  prefillTokensPerSecond: number;
  /** Receives a step's changes to the prefix cache. */
  onEvents(events: KvEvent[]): void;
}

/** Counts since the start. */
export interface RankCounters {
  /** Prompt tokens looked up in the prefix cache, and those found. */
  prefixQueries: number;
  prefixHits: number;
  promptTokens: number;
  /** Prompt tokens whose KV blocks came from another engine. */
  receivedTokens: number;
  generatedTokens: number;
  finished: number;
}

/** One data-parallel rank: vLLM's scheduling over its own blocks, one step at a time. */
export class StandInRank {
  readonly counters: RankCounters = {
    prefixQueries: 0,
    prefixHits: 0,
    promptTokens: 0,
    receivedTokens: 0,
    generatedTokens: 0,
    finished: 0,
  };
  readonly #options: StandInRankOptions;
  readonly #log: CacheLog;
  #scheduler: Scheduler;
  #isStepping = false;

  constructor(options: StandInRankOptions) {
    this.#options = options;
    this.#log = new CacheLog(options.blockSize);
    this.#scheduler = new Scheduler(options, this.#log);
  }

  get running(): number {
    return this.#scheduler.running;
  }

  get waiting(): number {
    return this.#scheduler.waiting;
  }

  /** 0 to 1. */
  get kvUsage(): number {
    return this.#scheduler.kvUsage;
  }

  /** @throws RangeError if the request needs more blocks than there are */
  add(generation: Generation): Sequence {
    const sequence = new Sequence(generation, this.#options.blockSize, (hash, content) => {
      this.#log.describe(hash, content);
    });
    sequence.onStarted = () => this.#count(sequence);
    sequence.onEnd = () => this.remove(sequence);
    this.#scheduler.add(sequence);
    if (!this.#isStepping) {
      this.#isStepping = true;
      setImmediate(this.#begin);
    }
    return sequence;
  }

  /** Aborts a request; has no effect once it has ended. */
  remove(sequence: Sequence): void {
    this.#scheduler.abort(sequence);
  }

  /** Empties the prefix cache. @returns false while requests use it */
  reset(): boolean {
    if (this.running + this.waiting > 0) return false;
    this.#log.clear();
    this.#scheduler = new Scheduler(this.#options, this.#log);
    this.#publish();
    return true;
  }

  #count(sequence: Sequence): void {
    const { counters } = this;
    counters.promptTokens += sequence.promptTokens;
    if (sequence.isReceived) counters.receivedTokens += sequence.promptTokens - sequence.cachedTokens;
    if (this.#options.prefixCaching === false) return;
    counters.prefixQueries += sequence.promptTokens;
    counters.prefixHits += sequence.cachedTokens;
  }

  readonly #begin = (): void => {
    if (this.running + this.waiting === 0) {
      this.#isStepping = false;
      this.#log.tidy();
      return;
    }
    const { prefillTokens } = this.#scheduler.beginStep();
    const { interTokenMs, prefillTokensPerSecond } = this.#options;
    const duration = interTokenMs + (prefillTokens * 1000) / prefillTokensPerSecond;
    if (duration < 1) setImmediate(this.#finish);
    else setTimeout(this.#finish, duration);
  };

  readonly #finish = (): void => {
    this.#scheduler.finishStep();
    this.#publish();
    this.#begin();
  };

  #publish(): void {
    const events = this.#log.take();
    if (events.length > 0) this.#options.onEvents(events);
  }
}
