/**
 * Normalizes the path of a URL, so that access control, routing and the engine behind all read it the same way.
 * Unreserved characters are decoded (RFC 3986, section 6.2.2.2), repeated slashes collapsed, and trailing ones
 * removed.
 * @param url absolute
 */
export function canonicalPath(url: string): string {
  const path = pathOf(url);
  const plain = path.includes("%") ? path.replace(/%[\da-f]{2}/gi, decodeUnreserved) : path;
  // A model's name may be a folder's path, which starts with a slash.
  const [, before = plain, model = ""] = /^(\/+v1\/+models\/)(.+)$/.exec(plain) ?? [];
  const joined = before.replace(/\/{2,}/g, "/") + model;
  return joined.length > 1 ? joined.replace(/\/+$/, "") || "/" : joined;
}

/**
 * Whether requests to a path are for models, rather than for the gateway itself.
 * @param path canonical
 */
export const isModelPath = (path: string): boolean =>
  (path.startsWith("/v1/") && !path.startsWith("/v1/router/") && !isAdapterPath(path)) ||
  ROOT_PATHS.has(path);

/** Whether requests to a path load or unload LoRA adapters for all clients, in any spelling. */
export const isAdapterPath = (path: string): boolean =>
  /^\/v1(\/|%2f)+(un)?load_lora_adapter(\/|%2f|$)/i.test(path);

/** Paths that vLLM and its clients have outside `/v1/`. */
const ROOT_PATHS: ReadonlySet<string> = new Set(["/tokenize", "/detokenize"]);

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
 * Whether a path has a `.` or `..` segment in any spelling, which another server might resolve to another path.
 * @param path with or without the query
 */
export const hasDotSegments = (path: string): boolean =>
  /(^|[/\\]|%2f|%5c)(\.|%2e){1,2}($|[/\\]|%2f|%5c)/i.test(path.split(/[?#]/, 1)[0]!);
