import type { Context } from "hono";
import { isWritable } from "../../kernel/header-values.ts";
import { apiPathOf } from "../../requests/wire/statuses.ts";
import { isHopByHop } from "../../wire/hop-by-hop.ts";
import type { HttpHeader } from "../../wire/types.ts";

/**
 * What is not passed on beside what concerns the client's connection alone: what the gateway writes itself, what only
 * the gateway is told, and the wish for a compressed answer, which could not be read when it breaks: the engine is
 * asked for none.
 */
const NOT_FORWARDED = new Set([
  "accept-encoding",
  "content-length",
  "cookie",
  "expect",
  "host",
  "via",
  "x-request-id",
]);

/** What a browser asks of this gateway, and not of an engine. */
const OF_BROWSERS = /^(origin|access-control-)/;

/** What clients show their keys in. */
const KEYS = ["authorization", "x-api-key"];

export interface Forwarder {
  readonly requestId: string;
  /** This gateway's part of the header `via`. */
  readonly via: string;
  /** Whether the client's key is for this gateway, and no engine's business. */
  readonly hidesKeys: boolean;
}

/** The headers that go to the engine. */
export function forwardedHeaders(context: Context, { requestId, via, hidesKeys }: Forwarder): HttpHeader[] {
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
    if (OF_BROWSERS.test(name) || (hidesKeys && KEYS.includes(name))) continue;
    headers.push([name, value]);
  }
  return headers;
}

/**
 * What of an engine's headers is the gateway's to say: who may read the answer, cookies, where else to go, and what
 * the gateway tells of itself.
 */
const NOT_ANSWERED =
  /^(access-control-.*|x-stator-.*|set-cookie|content-location|refresh|alt-svc|strict-transport-security)$/;

/**
 * The engine's headers that go to the client. Where it sends the client elsewhere, its address is left out; what
 * cannot be written in an answer is left out too.
 */
export function answerHeaders(headers: readonly HttpHeader[]): HttpHeader[] {
  return headers.flatMap(([name, value]): HttpHeader[] => {
    if (NOT_ANSWERED.test(name) || !isWritable(value)) return [];
    if (name !== "location") return [[name, value]];
    const path = apiPathOf(value);
    return path === undefined ? [] : [[name, path]];
  });
}
