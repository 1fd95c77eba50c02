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
    const end = this.#firstStop(all);
    if (end >= 0) {
      this.stopped = true;
      this.#held = "";
      return all.slice(0, end);
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

  #firstStop(text: string): number {
    let first = -1;
    for (const stop of this.#stops) {
      const index = text.indexOf(stop);
      if (index >= 0 && (first < 0 || index < first)) first = index;
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
