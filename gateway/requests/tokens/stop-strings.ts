import { heldLength } from "../../parsers/reading/markers.ts";

/**
 * Finds stop strings in text that arrives in pieces. Text that may begin a stop string is held back, so that a client
 * never sees part of one.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = "";
  /** The stop string that was found; text after it is ignored. */
  found: string | undefined;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** Adds text. @returns the text that certainly belongs to the answer */
  push(text: string): string {
    if (this.found !== undefined) return "";
    const all = this.#held + text;
    const first = this.#firstStop(all);
    if (first !== undefined) {
      this.found = first.stop;
      this.#held = "";
      return all.slice(0, first.start);
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
   * The stop string that ends first (the longest, if several end there), and where it begins. The result thus does not
   * depend on how the text is cut into pieces.
   */
  #firstStop(text: string): { readonly stop: string; readonly start: number } | undefined {
    let first: { readonly stop: string; readonly start: number } | undefined;
    let firstEnd = Number.POSITIVE_INFINITY;
    for (const stop of this.#stops) {
      const start = text.indexOf(stop);
      const end = start + stop.length;
      if (start < 0 || end > firstEnd || (end === firstEnd && start > first!.start)) continue;
      first = { stop, start };
      firstEnd = end;
    }
    return first;
  }
}
