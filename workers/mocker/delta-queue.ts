import type { Delta } from "../engine.ts";

/** A queue of deltas from the simulated GPU, which produces them at its own pace, to a reader. */
export class DeltaQueue {
  readonly #ready: Delta[] = [];
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  push(delta: Delta): void {
    if (this.#ended) return;
    this.#ready.push(delta);
    this.#wake?.();
  }

  /** Ends the answer after the pushed deltas; throws the error, if given. */
  end(failure?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#wake?.();
  }

  /** Yields the pushed deltas to one reader, until the end. */
  async *read(): AsyncGenerator<Delta> {
    for (;;) {
      const delta = this.#ready.shift();
      if (delta !== undefined) yield delta;
      else if (this.#failure !== undefined) throw this.#failure;
      else if (this.#ended) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
