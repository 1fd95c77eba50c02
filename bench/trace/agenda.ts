/** Future events ordered by time: a binary heap of (time, worker). */
export class Agenda {
  readonly #times: number[] = [];
  readonly #workers: number[] = [];

  /** Time of the next entry; infinite if there is none. */
  get nextTime(): number {
    return this.#times[0] ?? Number.POSITIVE_INFINITY;
  }

  add(time: number, worker: number): void {
    let index = this.#times.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#times[parent]! <= time) break;
      this.#times[index] = this.#times[parent]!;
      this.#workers[index] = this.#workers[parent]!;
      index = parent;
    }
    this.#times[index] = time;
    this.#workers[index] = worker;
  }

  /** Removes the next entry. @returns its worker */
  take(): number {
    const worker = this.#workers[0]!;
    const time = this.#times.pop()!;
    const last = this.#workers.pop()!;
    const size = this.#times.length;
    if (size === 0) return worker;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#times[child + 1]! < this.#times[child]!) child++;
      if (this.#times[child]! >= time) break;
      this.#times[index] = this.#times[child]!;
      this.#workers[index] = this.#workers[child]!;
      index = child;
    }
    this.#times[index] = time;
    this.#workers[index] = last;
    return worker;
  }
}
