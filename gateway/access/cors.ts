/** How long a browser caches a preflight's answer. */
const MAX_AGE_SECONDS = 600;

/** The CORS headers that tell a browser whether pages of this origin may read an answer. */
export function corsHeaders(
  allowed: readonly string[],
  origin: string | undefined,
): Record<string, string> | undefined {
  if (allowed.length === 0 || origin === undefined) return undefined;
  if (allowed.includes("*"))
    return { "access-control-allow-origin": "*", "access-control-expose-headers": EXPOSED };
  if (!allowed.includes(origin)) return { vary: "origin" };
  return {
    "access-control-allow-origin": origin,
    "access-control-expose-headers": EXPOSED,
    vary: "origin",
  };
}

/** The answer to a CORS preflight; undefined if the request is not one. */
export function preflight(request: Request, cors: Record<string, string> | undefined): Response | undefined {
  const asked = request.headers.get("access-control-request-method");
  if (cors === undefined || request.method !== "OPTIONS" || asked === null) return undefined;
  const headers: Record<string, string> = { ...cors };
  if (cors["access-control-allow-origin"] !== undefined) {
    headers["access-control-allow-methods"] = "GET, HEAD, POST, DELETE";
    const names = request.headers.get("access-control-request-headers");
    if (names !== null) headers["access-control-allow-headers"] = names;
    headers["access-control-max-age"] = String(MAX_AGE_SECONDS);
  }
  return new Response(null, { status: 204, headers });
}

/** Headers that pages may read besides the CORS-safelisted ones. */
const EXPOSED =
  "x-request-id, retry-after, x-ratelimit-limit-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-requests, x-ratelimit-remaining-tokens, x-ratelimit-reset-requests, x-ratelimit-reset-tokens";
