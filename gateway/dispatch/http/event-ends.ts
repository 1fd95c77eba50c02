const LF = 0x0a;
const CR = 0x0d;

/** Where the last whole event of a piece of an event stream ends: behind its empty line; 0 where none is whole. */
export function lastEventEnd(bytes: Uint8Array): number {
  for (let end = bytes.length; end > 1; end--) {
    if (bytes[end - 1] !== LF) continue;
    const before = bytes[end - 2];
    if (before === LF || (before === CR && bytes[end - 3] === LF)) return end;
  }
  return 0;
}
