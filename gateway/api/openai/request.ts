import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import type { TokenBooking } from "../../access/rate-limit.ts";
import { rateExceeded } from "../../access/refusals.ts";
import { invalidRequest } from "../../kernel/errors.ts";
import type { WorkerSide } from "../../models/model.ts";
import type { RoutePreferences } from "../../routing/preferences.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { readPreferences } from "./preferences.ts";

/** The fields that the routes' bodies share. */
type RequestBody = Parameters<typeof readPreferences>[1];

/** A request's metadata, and the bookkeeping that all routes share. */
export interface RequestMeta {
  requestId: string;
  preferences: RoutePreferences;
  /** Whether response headers should name the worker and the overlap. */
  explain: boolean;
  /** Response headers: the request's id and the key's remaining rate limit. */
  headers: Record<string, string>;
  /** The client has its answer and may send its next request; called before usage is counted. */
  onAnswered(): void;
  /**
   * Only the first call counts. If a route throws, the guard settles the request.
   * @param usage the tokens used, if any
   */
  onSettled(status: number, usage?: TokenUse): void;
  /** Called instead of `onSettled` if another model is asked: the request continues. */
  onFallback(): void;
}

/** Tokens that a request uses. */
export interface TokenUse {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/**
 * Reads the routing preferences and the header `x-stator-explain`, reserves the tokens on the client's key, and
 * starts the request's metrics.
 * @param expected the most tokens that it will use
 * @throws ApiError 400 for preferences that no worker satisfies, 429 if the key has too few tokens left
 */
export function beginRequest(
  context: Context<GatewayEnv>,
  body: RequestBody,
  model: Parameters<typeof readPreferences>[2],
  endpoint: string,
  expected: TokenUse,
  { metrics, preferenceDefaults }: GatewayDependencies,
): RequestMeta {
  const { requestId, arrivedAt } = context.var;
  const preferences = readPreferences(context, body, model, preferenceDefaults, arrivedAt);
  const booking = bookTokens(context, expected);
  const { limiter, slot } = context.var;
  const labels = { model: model.name, endpoint };
  metrics.inflight.inc(labels);
  context.set("isCounted", true);
  let isOpen = true;
  const onSettled = (status: number, usage?: TokenUse) => {
    if (!isOpen) return;
    isOpen = false;
    slot?.release();
    booking?.settle(usage === undefined ? 0 : usage.promptTokens + usage.completionTokens);
    metrics.inflight.dec(labels);
    metrics.requests.inc({ ...labels, status: String(status) });
    if (status === CLIENT_LEFT) metrics.clientDisconnects.inc({ model: labels.model });
    metrics.duration.observe(labels, (performance.now() - arrivedAt) / 1000);
  };
  context.set("settle", onSettled);
  context.get("detached")?.onAccepted?.();
  return {
    requestId,
    preferences,
    explain: isTrue(context.req.header("x-stator-explain")),
    headers: {
      ...context.var.headers,
      ...limiter?.headers(performance.now()),
      "x-request-id": requestId,
    },
    onAnswered: () => slot?.release(),
    onSettled,
    onFallback() {
      isOpen = false;
      booking?.settle(0);
      metrics.inflight.dec(labels);
      context.set("isCounted", false);
    },
  };
}

/** Tokens reserved for an answer without a length limit. */
const USUAL_ANSWER = 512;

/** The most tokens that an answer may have according to the body, or `USUAL_ANSWER`. */
export function expectedAnswer(body: Readonly<Record<string, unknown>> | undefined): number {
  const limit = [body?.max_completion_tokens, body?.max_tokens, body?.max_output_tokens].find(isCount);
  return (limit ?? USUAL_ANSWER) * (isCount(body?.n) ? body.n : 1);
}

const isCount = (value: unknown): value is number => typeof value === "number" && value >= 1;

function bookTokens(context: Context<GatewayEnv>, expected: TokenUse): TokenBooking | undefined {
  const { limiter } = context.var;
  if (limiter === undefined) return undefined;
  const booking = limiter.bookTokens(expected.promptTokens + expected.completionTokens, performance.now());
  if ("settle" in booking) return booking;
  throw rateExceeded(booking, limiter);
}

/** nginx's status for a request whose client closed the connection. */
const CLIENT_LEFT = 499;

type Api = WorkerSide["card"]["apis"][number];

const ROUTES: Record<Api, string> = {
  chat: "/v1/chat/completions",
  completions: "/v1/completions",
  embeddings: "/v1/embeddings",
  transcriptions: "/v1/audio/transcriptions",
  translations: "/v1/audio/translations",
};

/** What to name instead of a model that lacks the API. */
const ADVICE: Partial<Record<Api, string>> = {
  embeddings: " Name an embedding model.",
  transcriptions: " Name a speech model.",
  translations: " Name a speech model that translates.",
};

/**
 * @param path the route that needs the API
 * @throws ApiError 400 if the model does not serve this API; the message names its routes
 */
export function requireApi({ card }: WorkerSide, api: Api, path = ROUTES[api]): void {
  if (card.apis.includes(api)) return;
  if (card.apis.length === 0)
    throw invalidRequest(
      `The model '${card.name}' answers no requests: it only encodes media for other models. /v1/models lists those that do.`,
      "model",
      "unsupported_model",
    );
  const routes = card.apis.map((name) => ROUTES[name]).join(" and ");
  throw invalidRequest(
    `The model '${card.name}' does not serve ${path}; it answers on ${routes}.${ADVICE[api] ?? ""}`,
    "model",
    "unsupported_model",
  );
}

const isTrue = (value: string | undefined) => value === "1" || value?.toLowerCase() === "true";
