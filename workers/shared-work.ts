import { untilAborted } from "#runtime";

/** Work that several can wait for. It is cancelled once nobody does; then nobody must join it any more. */
export class SharedWork<Result> {
  readonly #controller = new AbortController();
  readonly #result: Promise<Result>;
  #waiting = 0;

  /** @param onOver is called when it settles or is cancelled, which can be both */
  constructor(start: (signal: AbortSignal) => Promise<Result>, onOver: () => void) {
    const { signal } = this.#controller;
    this.#result = start(signal);
    // If all leave, nobody awaits it.
    this.#result.finally(onOver).catch(() => {});
    signal.addEventListener("abort", onOver, { once: true });
  }

  /** Settles with the work, or rejects with the reason when the signal is aborted. */
  async wait(signal: AbortSignal): Promise<Result> {
    this.#waiting++;
    try {
      return await untilAborted(this.#result, signal);
    } finally {
      if (--this.#waiting === 0) this.#controller.abort(signal.reason);
    }
  }
}
