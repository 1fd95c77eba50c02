/**
 * The path of an address in one spelling, by which alone a request is judged and routed: as it would be read behind
 * the gateway too. Letters, digits, `-`, `.`, `_` and `~` stand for themselves (RFC 3986, section 6.2.2.2), several
 * slashes are one, and none is at the end.
 * @param url absolute
 */
export function canonicalPath(url: string): string {
  const path = pathOf(url);
  const plain = path.includes("%") ? path.replace(/%[\da-f]{2}/gi, decodeUnreserved) : path;
  // A model may be called by its folder, which begins with a slash of its own.
  const [, before = plain, model = ""] = /^(\/+v1\/+models\/)(.+)$/.exec(plain) ?? [];
  const joined = before.replace(/\/{2,}/g, "/") + model;
  return joined.length > 1 ? joined.replace(/\/+$/, "") || "/" : joined;
}

function pathOf(url: string): string {
  const authority = url.indexOf("://") + 3;
  const start = url.indexOf("/", authority);
  if (start < 0) return "/";
  const end = url.slice(start).search(/[?#]/);
  return end < 0 ? url.slice(start) : url.slice(start, start + end);
}

function decodeUnreserved(encoded: string): string {
  const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
  return /[\w.~-]/.test(character) ? character : encoded.toUpperCase();
}

/**
 * Whether a path has `.` or `..` for one of its parts, in any spelling: it would be another path for whoever resolves
 * those.
 * @param path with or without the query
 */
export const hasDotSegments = (path: string): boolean =>
  /(^|[/\\]|%2f|%5c)(\.|%2e){1,2}($|[/\\]|%2f|%5c)/i.test(path.split(/[?#]/, 1)[0]!);
