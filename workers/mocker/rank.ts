import type { GenerateRequest, KvEvent } from "#runtime";
import type { EngineStats } from "../engine.ts";
import { MockCacheEvents } from "./cache-events.ts";
import { type BlockOwners, MockRequest } from "./request.ts";
import { Scheduler, type SchedulerOptions } from "./scheduler.ts";
import type { StepWork } from "./timing.ts";

export interface RankOptions extends SchedulerOptions {
  /** Duration of a step in milliseconds. */
  stepMs(work: StepWork): number;
  /** Called with a step's changes of the prefix cache. */
  onEvents(events: KvEvent[]): void;
}

/** One data-parallel rank: a simulated GPU with its own scheduler, blocks and prefix cache. */
export class Rank {
  readonly #options: RankOptions;
  readonly #scheduler: Scheduler;
  readonly #events: MockCacheEvents;
  readonly #owners: BlockOwners = new Map();
  readonly #requests = new Set<MockRequest>();
  #isStepping = false;

  constructor(options: RankOptions) {
    this.#options = options;
    this.#events = new MockCacheEvents(options.blockSize, (hash) => this.#owners.get(hash)!.contentOf(hash));
    this.#scheduler = new Scheduler(options, this.#events);
  }

  get stats(): EngineStats {
    const { running, waiting, kvUsage } = this.#scheduler;
    return { running, waiting, kvUsage };
  }

  /** Stored events for the whole prefix cache. */
  snapshot(): KvEvent[] {
    return this.#events.snapshot();
  }

  /**
   * @param importedTokens how many of the prompt's first tokens another worker has computed, if any
   * @throws RangeError for a request that needs more blocks than there are
   */
  add(request: GenerateRequest, importedTokens?: number): MockRequest {
    const mock = new MockRequest(request, this.#options.blockSize, this.#owners, importedTokens);
    this.#scheduler.add(mock);
    this.#requests.add(mock);
    this.#wake();
    return mock;
  }

  /** Removes a request, finished or not. */
  remove(mock: MockRequest): void {
    this.#scheduler.abort(mock);
    mock.answer.end();
    mock.forget();
    this.#requests.delete(mock);
  }

  close(): void {
    for (const mock of this.#requests) this.remove(mock);
  }

  #wake(): void {
    if (this.#isStepping) return;
    this.#isStepping = true;
    setImmediate(this.#step);
  }

  /** One step of the simulated GPU: starts now, finishes after its duration. */
  readonly #step = (): void => {
    if (this.#scheduler.running + this.#scheduler.waiting === 0) {
      this.#isStepping = false;
      return;
    }
    const duration = this.#options.stepMs(this.#scheduler.beginStep());
    if (duration < 1) setImmediate(this.#finish);
    else setTimeout(this.#finish, duration);
  };

  readonly #finish = (): void => {
    this.#scheduler.finishStep();
    const events = this.#events.take();
    if (events.length > 0) this.#options.onEvents(events);
    this.#step();
  };
}
