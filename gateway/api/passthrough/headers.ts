import type { Context } from "hono";
import { isWritable } from "../../kernel/header-values.ts";
import { apiPathOf } from "../../requests/wire/statuses.ts";
import { isHopByHop } from "../../wire/hop-by-hop.ts";
import type { HttpHeader } from "../../wire/types.ts";

/**
 * Request headers that are not forwarded, besides the hop-by-hop ones: those that the gateway writes itself, those
 * meant only for the gateway, the rank that the router chooses, and `accept-encoding`, because a compressed answer could
 * not be continued after a failure.
 */
const NOT_FORWARDED = new Set([
  "accept-encoding",
  "content-length",
  "cookie",
  "expect",
  "host",
  "via",
  "x-data-parallel-rank",
  "x-request-id",
]);

/** The browser's CORS headers, which concern this gateway rather than an engine. */
const CORS_HEADERS = /^(origin|access-control-)/;

/** Headers of Anthropic's API. */
const ANTHROPIC_HEADERS = /^anthropic-/;

/** Headers in which clients send their keys. */
const KEY_HEADERS = ["authorization", "x-api-key"];

export interface Forwarder {
  readonly requestId: string;
  /** This gateway's entry in the `via` header. */
  readonly via: string;
  /** Whether the client's key is for this gateway and must not reach an engine. */
  readonly hidesKeys: boolean;
  /** Whether the engine gets another API's request, for which some headers have no meaning. */
  readonly isTranslated?: boolean;
}

/** The headers that go to the engine. */
export function forwardedHeaders(
  context: Context,
  { requestId, via, hidesKeys, isTranslated = false }: Forwarder,
): HttpHeader[] {
  const named = (context.req.header("connection") ?? "").toLowerCase().split(/\s*,\s*/);
  const before = context.req.header("via");
  const headers: HttpHeader[] = [
    ["x-request-id", requestId],
    ["accept-encoding", "identity"],
    ["via", before === undefined ? via : `${before}, ${via}`],
  ];
  for (const [name, value] of context.req.raw.headers) {
    if (isHopByHop(name) || named.includes(name) || NOT_FORWARDED.has(name)) continue;
    if (name.startsWith("x-stator-")) continue;
    if (CORS_HEADERS.test(name) || (hidesKeys && KEY_HEADERS.includes(name))) continue;
    if (isTranslated && ANTHROPIC_HEADERS.test(name)) continue;
    headers.push([name, value]);
  }
  return headers;
}

/**
 * Headers of an engine's answer that are dropped, because only the gateway may set them: CORS, cookies, alternative
 * addresses, and the gateway's own headers.
 */
const NOT_RETURNED =
  /^(access-control-.*|x-stator-.*|set-cookie|content-location|refresh|alt-svc|strict-transport-security)$/;

/**
 * The engine's headers that go to the client. A redirect keeps only its path, without the engine's address; values
 * that cannot be written to a response are dropped.
 */
export function answerHeaders(headers: readonly HttpHeader[]): HttpHeader[] {
  return headers.flatMap(([name, value]): HttpHeader[] => {
    if (NOT_RETURNED.test(name) || !isWritable(value)) return [];
    if (name !== "location") return [[name, value]];
    const path = apiPathOf(value);
    return path === undefined ? [] : [[name, path]];
  });
}
