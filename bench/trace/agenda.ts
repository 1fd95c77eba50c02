import { Heap } from "./heap.ts";

/** Future events of workers, ordered by time. */
export class Agenda {
  readonly #heap = new Heap<{ readonly time: number; readonly worker: number }>((a, b) => a.time < b.time);

  /** Time of the next entry; infinite if there is none. */
  get nextTime(): number {
    return this.#heap.next?.time ?? Number.POSITIVE_INFINITY;
  }

  add(time: number, worker: number): void {
    this.#heap.add({ time, worker });
  }

  /** Removes the next entry, which there must be. @returns its worker */
  take(): number {
    return this.#heap.take()!.worker;
  }
}
