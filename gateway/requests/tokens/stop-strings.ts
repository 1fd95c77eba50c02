/**
 * Finds stop strings in text that comes in pieces. Text that may be the beginning of a stop string is held
 * back, so that a client never sees part of one.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = "";
  /** Whether a stop string has been found; nothing after it counts. */
  stopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** The text that is certain to belong to the answer, now that `text` has come. */
  push(text: string): string {
    if (this.stopped) return "";
    const all = this.#held + text;
    const start = this.#firstStop(all);
    if (start >= 0) {
      this.stopped = true;
      this.#held = "";
      return all.slice(0, start);
    }
    const held = this.#heldLength(all);
    this.#held = all.slice(all.length - held);
    return all.slice(0, all.length - held);
  }

  /** What is still held when the answer ends otherwise. */
  flush(): string {
    const text = this.#held;
    this.#held = "";
    return text;
  }

  /**
   * Where the stop string begins that is complete first, and of several the longest; -1 where there is none. So
   * the answer does not depend on the pieces in which the text comes.
   */
  #firstStop(text: string): number {
    let first = -1;
    let firstEnd = Number.POSITIVE_INFINITY;
    for (const stop of this.#stops) {
      const start = text.indexOf(stop);
      const end = start + stop.length;
      if (start < 0 || end > firstEnd || (end === firstEnd && start > first)) continue;
      first = start;
      firstEnd = end;
    }
    return first;
  }

  /** Length of the longest end of `text` with which a stop string begins. */
  #heldLength(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
