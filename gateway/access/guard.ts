import type { Context, MiddlewareHandler, Next } from "hono";
import { isUnforgeableHost } from "#runtime";
import { clientLeft, toApiError } from "../kernel/errors.ts";
import type { MediaRules } from "../media/read-media.ts";
import type { ApiKey } from "./api-key.ts";
import { corsHeaders, preflight } from "./cors.ts";
import type { GatewayEnv } from "./env.ts";
import type { Inflight } from "./inflight.ts";
import type { Isolation } from "./isolation.ts";
import type { KeyRing } from "./key-ring.ts";
import { hasDotSegments, isAdapterPath, isModelPath } from "./paths.ts";
import {
  adminOnly,
  badPath,
  gatewayBusy,
  hostNotAllowed,
  keyMissing,
  keyUnknown,
  rateExceeded,
} from "./refusals.ts";

/** Who may use this gateway, for what, and how much. */
export interface Access {
  /** Undefined if no key is required. */
  readonly keys: KeyRing | undefined;
  readonly inflight: Inflight;
  /** Origins whose pages may read answers. */
  readonly cors: readonly string[];
  /** What media clients may send. */
  readonly media: MediaRules;
  /** The Host headers that a gateway without keys accepts: any, or only those that no web page can have. */
  readonly hosts: HostPolicy;
  /** Whether unknown paths are forwarded to engines. */
  readonly passesAll: boolean;
  /** Keeps the caches of keys apart; undefined if all requests share cached KV. */
  readonly isolation: Isolation | undefined;
}

export type HostPolicy = "any" | "local";

/** Middleware in front of all routes: CORS, keys, rate limits, and the limit on requests in flight. */
export function createGuard({
  keys,
  inflight,
  cors,
  hosts,
  isolation,
}: Access): MiddlewareHandler<GatewayEnv> {
  return async (context, next) => {
    const crossOrigin = corsHeaders(cors, context.req.header("origin"));
    const answer = preflight(context.req.raw, crossOrigin);
    if (answer !== undefined) return answer;
    context.set("headers", crossOrigin ?? {});

    if (hasDotSegments(context.req.path)) throw badPath();
    const need = needOf(context.req.path);
    if (keys !== undefined) await authenticate(context, keys, need, isolation);
    else {
      const isTrusted =
        isUnforgeableHost(context.req.header("host")) || (hosts === "any" && !isAdminPath(context.req.path));
      if (need !== "nothing" && !isTrusted) throw hostNotAllowed();
      context.set("hidesNames", !isTrusted);
    }

    if (isModelRequest(context)) {
      const slot = inflight.acquire();
      if (slot === undefined) throw gatewayBusy(inflight.limit);
      context.set("slot", slot);
    }
    await answered(context, next);
    // A route that has begun its answer writes the headers itself.
    if (context.get("isCounted")) return;
    for (const [name, value] of Object.entries(context.get("headers"))) context.res.headers.set(name, value);
  };
}

/** A request that has begun releases its resources when its answer ends; one that fails is settled here. */
async function answered(context: Context<GatewayEnv>, next: Next): Promise<void> {
  let failure: unknown;
  try {
    await next();
    failure = context.error;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    if (failure !== undefined) context.get("settle")?.(statusOf(failure, context.req.raw.signal));
    if (failure !== undefined || !context.get("isCounted")) context.get("slot")?.release();
  }
}

const statusOf = (failure: unknown, { aborted }: AbortSignal) =>
  (aborted ? clientLeft() : toApiError(failure)).status;

type Need = "nothing" | "key" | "admin";

function needOf(path: string): Need {
  if (path === "/health" || path === "/live") return "nothing";
  return path === "/metrics" || path.startsWith("/v1/router/") || isAdminPath(path) ? "admin" : "key";
}

/** Paths that change something for all clients. */
const isAdminPath = (path: string) => path === "/admin" || path.startsWith("/admin/") || isAdapterPath(path);

const isModelRequest = ({ req: { method, path } }: Context) => method === "POST" && isModelPath(path);

/** @throws ApiError 401, 403 or 429 */
async function authenticate(
  context: Context<GatewayEnv>,
  keys: KeyRing,
  need: Need,
  isolation: Isolation | undefined,
): Promise<void> {
  const text = presentedKey(context);
  const key = text === undefined ? undefined : await keys.find(text, Date.now());
  context.set("key", key);
  context.set("hidesNames", key === undefined);
  if (need === "nothing") return;
  if (text === undefined) throw keyMissing();
  if (key === undefined) throw keyUnknown();
  if (need === "admin" && !key.isAdmin) throw adminOnly();
  context.set("cacheSalt", await isolation?.saltOf(key));
  if (isModelRequest(context)) countRequest(context, keys, key);
}

function countRequest(context: Context<GatewayEnv>, keys: KeyRing, key: ApiKey): void {
  const limiter = keys.limiterOf(key);
  context.set("limiter", limiter);
  const excess = limiter?.takeRequest(performance.now());
  if (limiter !== undefined && excess !== undefined) throw rateExceeded(excess, limiter);
}

function presentedKey(context: Context): string | undefined {
  const bearer = /^bearer +(\S+)\s*$/i.exec(context.req.header("authorization") ?? "")?.[1];
  return bearer ?? context.req.header("x-api-key");
}

/**
 * A web page can make its own host name resolve to this machine (DNS rebinding), so that its requests are
 * same-origin. It cannot do so with an IP address, or with a name that is never resolved.
 */
