import { heldLength } from "../../parsers/reading/markers.ts";

/**
 * Finds stop strings in text that arrives in pieces. Text that may begin a stop string is held back, so that a client
 * never sees part of one.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = "";
  /** Whether a stop string has been found; text after it is ignored. */
  stopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** Adds text. @returns the text that certainly belongs to the answer */
  push(text: string): string {
    if (this.stopped) return "";
    const all = this.#held + text;
    const start = this.#firstStop(all);
    if (start >= 0) {
      this.stopped = true;
      this.#held = "";
      return all.slice(0, start);
    }
    const held = heldLength(all, this.#stops);
    this.#held = all.slice(all.length - held);
    return all.slice(0, all.length - held);
  }

  /** The held text, when the answer ends without a stop string. */
  flush(): string {
    const text = this.#held;
    this.#held = "";
    return text;
  }

  /**
   * Where the stop string that ends first begins (the longest, if several end there), or -1. The result thus does not
   * depend on how the text is cut into pieces.
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
}
