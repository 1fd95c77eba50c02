/** A text cut at a stop string. */
export interface Cut {
  /** The text before it, which can be sent. */
  readonly text: string;
  /** The end of the text, if it may be the beginning of a stop string. */
  readonly rest: string;
  /** The stop string that was found; in neither of the others. */
  readonly stop: string | undefined;
}

/** Finds the first stop string, or the beginning of one at the end. */
export function findStop(text: string, stops: readonly string[]): Cut {
  const found = stops
    .filter((stop) => stop !== "" && text.includes(stop))
    .sort((a, b) => text.indexOf(a) - text.indexOf(b));
  const [stop] = found;
  if (stop !== undefined) return { text: text.slice(0, text.indexOf(stop)), rest: "", stop };
  for (let at = 0; at < text.length; at++) {
    const end = text.slice(at);
    if (stops.some((each) => each.startsWith(end))) return { text: text.slice(0, at), rest: end, stop };
  }
  return { text, rest: "", stop };
}
