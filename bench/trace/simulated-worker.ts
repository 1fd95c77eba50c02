import { type BlockListener, type ScheduledRequest, Scheduler, type StepTiming, stepTime } from "#workers";

export interface WorkerShape {
  blockSize: number;
  totalBlocks: number;
  maxSequences: number;
  maxBatchedTokens: number;
}

/** Receives changes to a worker's cache; the changes of a step are complete when the step ends. */
export interface CacheListener extends BlockListener {
  endStep(): void;
}

/** A worker in virtual time: the mock engine's scheduler, whose steps are ended by the simulation. */
export class SimulatedWorker {
  readonly #scheduler: Scheduler;
  readonly #listener: CacheListener;
  readonly #timing: StepTiming;
  isStepping = false;
  /** Tokens that it has evaluated, prompts and output together: its share of the work. */
  evaluatedTokens = 0;
  /** Milliseconds in steps. */
  busyMs = 0;

  constructor(shape: WorkerShape, timing: StepTiming, listener: CacheListener) {
    this.#timing = timing;
    this.#listener = listener;
    this.#scheduler = new Scheduler(shape, listener);
  }

  get preemptions(): number {
    return this.#scheduler.preemptions;
  }

  add(request: ScheduledRequest): void {
    this.#scheduler.add(request);
  }

  /** Begins a step. @returns its duration in milliseconds; undefined if there is nothing to do */
  begin(): number | undefined {
    this.isStepping = this.#scheduler.running + this.#scheduler.waiting > 0;
    if (!this.isStepping) return undefined;
    const work = this.#scheduler.beginStep();
    const duration = stepTime(this.#timing, work);
    this.evaluatedTokens += work.prefillTokens + work.decodes;
    this.busyMs += duration;
    return duration;
  }

  finish(): void {
    this.#scheduler.finishStep();
    this.#listener.endStep();
  }
}
