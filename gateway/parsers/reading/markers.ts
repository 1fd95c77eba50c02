/** Where the first of the markers is in a text: the longest one, if several begin there. */
export function firstMarker(
  text: string,
  markers: readonly string[],
  from = 0,
): { readonly at: number; readonly marker: string } | undefined {
  let at = -1;
  let found = "";
  for (const marker of markers) {
    const start = text.indexOf(marker, from);
    if (start < 0 || (at >= 0 && (start > at || (start === at && marker.length < found.length)))) continue;
    at = start;
    found = marker;
  }
  return at < 0 ? undefined : { at, marker: found };
}

/**
 * How many characters at the end of a text may be the beginning of a marker.
 * @param from where the text begins
 */
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
