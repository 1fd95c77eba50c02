import type { Context } from "hono";
import type { GatewayDependencies } from "../../dependencies.ts";
import type { GatewayEnv } from "../../env.ts";
import { invalidRequest } from "../../errors.ts";
import type { RoutedModel } from "../../pipeline/serving/routed-model.ts";
import type { ServedModel } from "../../pipeline/serving/served-model.ts";
import type { RoutePreferences } from "../../routing/preferences.ts";
import type { RoutedWorker } from "../../routing/workers.ts";
import { readPreferences } from "./preferences.ts";

/** What the routes' bodies have in common. */
type RequestBody = Parameters<typeof readPreferences>[1];

/** What a request says beside what it asks, and the bookkeeping that all routes share. */
export interface RequestMeta {
  requestId: string;
  preferences: RoutePreferences;
  /** Whether response headers shall name the worker and the overlap. */
  explain: boolean;
  onSettled(status: number): void;
}

/**
 * Reads the routing preferences and the header `x-stator-explain`, and starts the request's metrics.
 * @throws ApiError 400 where they ask for what no worker has
 */
export function beginRequest<Worker extends RoutedWorker>(
  context: Context<GatewayEnv>,
  body: RequestBody,
  model: RoutedModel<Worker>,
  endpoint: string,
  { metrics, preferenceDefaults }: GatewayDependencies,
): RequestMeta {
  const { requestId, arrivedAt } = context.var;
  const preferences = readPreferences(context, body, model, preferenceDefaults, arrivedAt);
  const labels = { model: model.name, endpoint };
  metrics.inflight.inc(labels);
  context.set("isCounted", true);
  return {
    requestId,
    preferences,
    explain: isTrue(context.req.header("x-stator-explain")),
    onSettled(status) {
      metrics.inflight.dec(labels);
      metrics.requests.inc({ ...labels, status: String(status) });
      if (status === CLIENT_LEFT) metrics.clientDisconnects.inc({ model: labels.model });
      metrics.duration.observe(labels, (performance.now() - arrivedAt) / 1000);
    },
  };
}

/** The status, known from nginx, of a request whose client closed the connection. */
const CLIENT_LEFT = 499;

type Api = ServedModel["card"]["apis"][number];

const ROUTES: Record<Api, string> = {
  chat: "/v1/chat/completions",
  completions: "/v1/completions",
  embeddings: "/v1/embeddings",
};

/** @throws ApiError 400 where the model does not serve this kind of request; the message names its routes */
export function requireApi({ card }: ServedModel, api: Api): void {
  if (card.apis.includes(api)) return;
  const routes = card.apis.map((name) => ROUTES[name]).join(" and ");
  throw invalidRequest(
    `The model '${card.name}' does not serve ${ROUTES[api]}; it answers on ${routes}.`,
    "model",
    "unsupported_model",
  );
}

const isTrue = (value: string | undefined) => value === "1" || value?.toLowerCase() === "true";
