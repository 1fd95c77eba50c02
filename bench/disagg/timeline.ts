import { Heap } from "../trace/heap.ts";

interface Timed {
  readonly at: number;
  /** Of its entry, which decides among equal times. */
  readonly order: number;
  readonly run: () => void;
}

/** Virtual time: runs what is due, in order. */
export class Timeline {
  now = 0;
  readonly #heap = new Heap<Timed>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order));
  #entries = 0;

  at(time: number, run: () => void): void {
    this.#heap.add({ at: time, order: this.#entries++, run });
  }

  /** Runs until nothing is left. */
  run(): void {
    while (this.step());
  }

  /** Runs what is due next. @returns false if nothing is left */
  step(): boolean {
    const next = this.#heap.take();
    if (next === undefined) return false;
    this.now = next.at;
    next.run();
    return true;
  }
}
