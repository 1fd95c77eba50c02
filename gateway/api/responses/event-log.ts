import type { ResponseLog } from "./store.ts";

/** The events of a response, in memory. */
export class EventLog implements ResponseLog {
  readonly #events: string[] = [];
  readonly #onGrowth: (length: number) => void;
  readonly #cancelling = new AbortController();
  #isOver = false;
  #length = 0;
  /** Those who wait for the next event. */
  #waiting: (() => void)[] = [];

  /** Id of the key that it belongs to. */
  readonly owner: string;

  /** @param onGrowth gets the length of each event, in characters */
  constructor(owner: string, onGrowth: (length: number) => void) {
    this.owner = owner;
    this.#onGrowth = onGrowth;
  }

  get cancelled(): AbortSignal {
    return this.#cancelling.signal;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** In characters. */
  get length(): number {
    return this.#length;
  }

  append(event: string): void {
    this.#events.push(event);
    this.#length += event.length;
    this.#onGrowth(event.length);
    this.#wake();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    this.#wake();
  }

  cancel(): void {
    this.#cancelling.abort();
  }

  async *follow(from: number, signal: AbortSignal): AsyncGenerator<string> {
    for (let at = from; !signal.aborted; at++) {
      while (at >= this.#events.length) {
        if (this.#isOver || signal.aborted) return;
        await this.#next(signal);
      }
      yield this.#events[at]!;
    }
  }

  #next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener("abort", wake);
        resolve();
      };
      signal.addEventListener("abort", wake, { once: true });
      this.#waiting.push(wake);
    });
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
