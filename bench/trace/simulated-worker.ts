import type { KvEvent } from "#runtime";
import { CacheEvents, type ScheduledRequest, Scheduler, type StepTiming, stepTime } from "#workers";

/** What a simulated worker is told of a request, and asked while it stores blocks. */
export interface SimulatedRequest extends ScheduledRequest {
  /** The block's parent and tokens, for the event that tells of it. */
  contentOf(hash: number): { parent: number | undefined; tokenIds: Uint32Array };
}

export interface WorkerShape {
  blockSize: number;
  totalBlocks: number;
  maxSequences: number;
  maxBatchedTokens: number;
}

/** A worker in virtual time: the mock engine's scheduler, whose steps end when the simulation says so. */
export class SimulatedWorker {
  readonly #scheduler: Scheduler;
  readonly #events: CacheEvents;
  readonly #timing: StepTiming;
  readonly #requests = new Map<number, SimulatedRequest>();
  isStepping = false;
  /** Prompt tokens that it has evaluated: its share of the work. */
  prefilledTokens = 0;

  constructor(shape: WorkerShape, timing: StepTiming) {
    this.#timing = timing;
    this.#events = new CacheEvents(shape.blockSize, (hash) => this.#requests.get(hash)!.contentOf(hash));
    this.#scheduler = new Scheduler(shape, this.#events);
  }

  get preemptions(): number {
    return this.#scheduler.preemptions;
  }

  add(request: SimulatedRequest): void {
    const requests = this.#requests;
    this.#scheduler.add({
      promptTokens: request.promptTokens,
      maxTokens: request.maxTokens,
      hashAt(index) {
        const hash = request.hashAt(index);
        requests.set(hash, request);
        return hash;
      },
      onStart: (cachedTokens) => request.onStart?.(cachedTokens),
      onToken: (isLast) => request.onToken(isLast),
    });
  }

  /** Begins a step; how long it takes in milliseconds, undefined where there is nothing to do. */
  begin(): number | undefined {
    this.isStepping = this.#scheduler.running + this.#scheduler.waiting > 0;
    if (!this.isStepping) return undefined;
    const work = this.#scheduler.beginStep();
    this.prefilledTokens += work.prefillTokens;
    return stepTime(this.#timing, work);
  }

  /** Ends the step; what the prefix cache says of it. */
  finish(): KvEvent[] {
    this.#scheduler.finishStep();
    const events = this.#events.take();
    for (const event of events) {
      if (event.type === "removed") for (const hash of event.blockHashes) this.#requests.delete(Number(hash));
    }
    return events;
  }
}
