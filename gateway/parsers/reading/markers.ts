/** Where a text that may continue can be cut. */
export interface MarkerFound {
  /** No marker begins before this. */
  readonly at: number;
  /** The marker that begins there. Undefined if more text must arrive to tell, or none is there. */
  readonly marker: string | undefined;
}

/**
 * Finds the first of the markers in a text: the longest one, if several begin there. What it finds does not depend on
 * how much of the text has arrived.
 * @param isOver whether no more text will arrive
 */
export function findMarker(
  text: string,
  markers: readonly string[],
  from: number,
  isOver: boolean,
): MarkerFound {
  const found = firstMarker(text, markers, from);
  const undecided = isOver ? text.length : text.length - heldLength(text, markers, from);
  // What has arrived of another marker may be the beginning of one that comes first, or is longer.
  if (found === undefined || (undecided <= found.at && undecided < text.length))
    return { at: undecided, marker: undefined };
  return found;
}

function firstMarker(text: string, markers: readonly string[], from: number): MarkerFound | undefined {
  let at = -1;
  let marker = "";
  for (const each of markers) {
    const start = text.indexOf(each, from);
    if (start < 0 || (at >= 0 && (start > at || (start === at && each.length < marker.length)))) continue;
    at = start;
    marker = each;
  }
  return at < 0 ? undefined : { at, marker };
}

/** How many characters at the end of a text may be the beginning of a marker. */
export function heldLength(text: string, markers: readonly string[], from = 0): number {
  let longest = 0;
  for (const marker of markers) {
    const first = marker.charCodeAt(0);
    const last = text.length - longest;
    for (let at = Math.max(from, text.length - marker.length + 1); at < last; at++) {
      if (text.charCodeAt(at) !== first || !marker.startsWith(text.slice(at))) continue;
      longest = text.length - at;
      break;
    }
  }
  return longest;
}
