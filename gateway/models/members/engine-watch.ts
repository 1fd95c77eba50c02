export type EngineState = "connecting" | "ready" | "down" | "draining" | "gone";

/** An engine that must be checked repeatedly until it is gone. */
export interface WatchedEngine {
  readonly state: EngineState;
  /** When to check it next, on the clock of `performance.now()`. */
  readonly nextCheckAt: number;
  /** Checks it, and updates `nextCheckAt`. Never rejects. */
  check(): Promise<void>;
}

/** Schedules the checks of engines. When they can run depends on the runtime. */
export interface EngineWatch {
  /** Starts checking the engine. */
  add(engine: WatchedEngine): void;
  /** Its `nextCheckAt` is earlier than before, or it is gone. */
  wake(engine: WatchedEngine): void;
}

/** Checks each engine when it is due, independently of requests. */
export class BackgroundWatch implements EngineWatch {
  readonly #sleeping = new Map<WatchedEngine, () => void>();

  add(engine: WatchedEngine): void {
    void this.#follow(engine);
  }

  wake(engine: WatchedEngine): void {
    this.#sleeping.get(engine)?.();
  }

  async #follow(engine: WatchedEngine): Promise<void> {
    while (engine.state !== "gone") {
      const leftMs = engine.nextCheckAt - performance.now();
      if (leftMs > 0) await this.#sleep(engine, leftMs);
      else await engine.check();
    }
  }

  /** Resolves after `ms` or on `wake`. */
  #sleep(engine: WatchedEngine, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#sleeping.delete(engine);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#sleeping.set(engine, wake);
    });
  }
}
