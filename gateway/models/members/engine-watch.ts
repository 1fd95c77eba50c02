export type EngineState = "connecting" | "ready" | "down" | "draining" | "gone";

/** An engine that has to be looked at again and again, until it is gone. */
export interface WatchedEngine {
  readonly state: EngineState;
  /** When it is to be looked at next, on the clock of `performance.now()`. */
  readonly lookAt: number;
  /** Finds out how it is, and when it is to be looked at next. Never rejects. */
  look(): Promise<void>;
}

/** Sees to it that engines are looked at. When that can happen depends on the runtime. */
export interface EngineWatch {
  /** The engine is to be looked at from now on. */
  add(engine: WatchedEngine): void;
  /** It is to be looked at sooner than it said before, or it is gone. */
  wake(engine: WatchedEngine): void;
}

/** Looks at each engine when it is due, whether there are requests or not. */
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
      const leftMs = engine.lookAt - performance.now();
      if (leftMs > 0) await this.#sleep(engine, leftMs);
      else await engine.look();
    }
  }

  /** Until the time is over, or somebody wakes it. */
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
