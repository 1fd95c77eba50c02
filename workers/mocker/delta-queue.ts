import type { Delta } from "../engine.ts";

/** Deltas on their way from the simulated GPU, which makes them at its own pace, to the one who reads them. */
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

  /** Ends the answer after what was pushed; with an error, by throwing it. */
  end(failure?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#wake?.();
  }

  /** What is pushed, for one reader, until the end. */
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
