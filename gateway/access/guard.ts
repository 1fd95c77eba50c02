import type { Context, MiddlewareHandler, Next } from "hono";
import { clientLeft, toApiError } from "../kernel/errors.ts";
import type { ApiKey } from "./api-key.ts";
import { corsHeaders, preflight } from "./cors.ts";
import type { GatewayEnv } from "./env.ts";
import type { Inflight } from "./inflight.ts";
import type { KeyRing } from "./key-ring.ts";
import type { MediaRules } from "./media.ts";
import { hasDotSegments } from "./paths.ts";
import {
  adminOnly,
  badPath,
  foreignHost,
  gatewayBusy,
  keyMissing,
  keyUnknown,
  rateExceeded,
} from "./refusals.ts";

/** Who may ask this gateway, what, and how much. */
export interface Access {
  /** Undefined where everything is open. */
  readonly keys: KeyRing | undefined;
  readonly inflight: Inflight;
  /** Origins whose pages may read answers. */
  readonly cors: readonly string[];
  /** What engines may be made to fetch. */
  readonly media: MediaRules;
  /** Under which names a gateway without keys may be asked: any, or what no web page can have for its own. */
  readonly hosts: HostPolicy;
  /** Whether paths that the gateway does not know pass to engines. */
  readonly passesAll: boolean;
}

export type HostPolicy = "any" | "local";

/** Stands before all routes: browsers' questions, keys, requests per minute, and requests at once. */
export function createGuard({ keys, inflight, cors, hosts }: Access): MiddlewareHandler<GatewayEnv> {
  return async (context, next) => {
    const crossOrigin = corsHeaders(cors, context.req.header("origin"));
    const answer = preflight(context.req.raw, crossOrigin);
    if (answer !== undefined) return answer;
    context.set("headers", crossOrigin ?? {});

    if (hasDotSegments(context.req.path)) throw badPath();
    const need = needOf(context.req.path);
    if (keys !== undefined) await unlock(context, keys, need);
    else {
      const isTrusted = hasLocalName(context) || (hosts === "any" && !isAdminPath(context.req.path));
      if (need !== "nothing" && !isTrusted) throw foreignHost();
      context.set("isStranger", !isTrusted);
    }

    if (isQuestion(context)) {
      const place = inflight.take();
      if (place === undefined) throw gatewayBusy(inflight.limit);
      context.set("place", place);
    }
    await answered(context, next);
    // The head of an answer that has begun is written by whoever began it.
    if (context.get("isCounted")) return;
    for (const [name, value] of Object.entries(context.get("headers"))) context.res.headers.set(name, value);
  };
}

/** A request that has begun gives back what it took when its answer has ended; one that fails does it here. */
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
    if (failure !== undefined || !context.get("isCounted")) context.get("place")?.leave();
  }
}

const statusOf = (failure: unknown, { aborted }: AbortSignal) =>
  (aborted ? clientLeft() : toApiError(failure)).status;

type Need = "nothing" | "key" | "admin";

/** What of an engine changes it for all: nothing for everybody who has a key, however it is spelt. */
const ENGINE_ADMIN = /^\/v1(\/|%2f)+(un)?load_lora_adapter(\/|%2f|$)/i;

function needOf(path: string): Need {
  if (path === "/health" || path === "/live") return "nothing";
  if (path === "/metrics" || path.startsWith("/v1/router/") || isAdminPath(path)) return "admin";
  return ENGINE_ADMIN.test(path) ? "admin" : "key";
}

const isAdminPath = (path: string) => path === "/admin" || path.startsWith("/admin/");

const isQuestion = ({ req: { method, path } }: Context) =>
  method === "POST" && path.startsWith("/v1/") && !path.startsWith("/v1/router/");

/** @throws ApiError 401, 403 or 429 */
async function unlock(context: Context<GatewayEnv>, keys: KeyRing, need: Need): Promise<void> {
  const text = presentedKey(context);
  const key = text === undefined ? undefined : await keys.find(text, Date.now());
  context.set("key", key);
  context.set("isStranger", key === undefined);
  if (need === "nothing") return;
  if (text === undefined) throw keyMissing();
  if (key === undefined) throw keyUnknown();
  if (need === "admin" && !key.isAdmin) throw adminOnly();
  if (isQuestion(context)) countRequest(context, keys, key);
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
 * A page of the web may have its own name resolve to this machine (DNS rebinding), and then its requests count as of
 * this origin. It cannot do so with a bare address, or with a name that is never looked up.
 */
function hasLocalName(context: Context): boolean {
  const host = (context.req.header("host") ?? "").replace(/:\d+$/, "");
  return /^(([\w-]+\.)*localhost\.?|\d+\.\d+\.\d+\.\d+|\[[\da-f:.]+\])$/i.test(host);
}
