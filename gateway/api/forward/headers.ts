import type { Context } from "hono";
import type { HttpHeader } from "../../dispatch/http/types.ts";

/**
 * What is not passed on: what concerns the client's connection alone (RFC 9110, section 7.6.1), what the gateway
 * writes itself, what only the gateway is told, and the wish for a compressed answer, which could not be read when it
 * breaks.
 */
const NOT_FORWARDED = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "cookie",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-request-id",
]);

/** The headers that go to the engine. */
export function forwardedHeaders(context: Context, requestId: string): HttpHeader[] {
  const named = (context.req.header("connection") ?? "").toLowerCase().split(/\s*,\s*/);
  const headers: HttpHeader[] = [["x-request-id", requestId]];
  for (const [name, value] of context.req.raw.headers) {
    if (NOT_FORWARDED.has(name) || named.includes(name) || name.startsWith("x-stator-")) continue;
    headers.push([name, value]);
  }
  return headers;
}
