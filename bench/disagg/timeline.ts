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
    for (let next = this.#heap.take(); next !== undefined; next = this.#heap.take()) {
      this.now = next.at;
      next.run();
    }
  }
}
