import type { Context } from "hono";
import type { GatewayDependencies } from "../../dependencies.ts";
import type { GatewayEnv } from "../../env.ts";
import { type ApiError, invalidRequest } from "../../errors.ts";
import type { ServedModel } from "../../pipeline/serving/served-model.ts";

/** What a request says beside its body, and the bookkeeping that all routes share. */
export interface RequestMeta {
  requestId: string;
  pinnedWorker: string | undefined;
  /** Whether response headers shall name the worker and the overlap. */
  explain: boolean;
  onSettled(status: number): void;
}

/**
 * Reads the headers `x-stator-worker` (the only worker that will do) and `x-stator-explain`, and starts the
 * request's metrics.
 * @throws ApiError 400 where the header names an unknown worker
 */
export function beginRequest(
  context: Context<GatewayEnv>,
  model: ServedModel,
  endpoint: string,
  { metrics }: GatewayDependencies,
): RequestMeta {
  const pinnedWorker = context.req.header("x-stator-worker");
  if (pinnedWorker !== undefined && !model.router.knows(pinnedWorker))
    throw unknownWorker(pinnedWorker, model);
  const labels = { model: model.card.name, endpoint };
  const startedAt = performance.now();
  metrics.inflight.inc(labels);
  context.set("isCounted", true);
  return {
    requestId: context.var.requestId,
    pinnedWorker,
    explain: isTrue(context.req.header("x-stator-explain")),
    onSettled(status) {
      metrics.inflight.dec(labels);
      metrics.requests.inc({ ...labels, status: String(status) });
      metrics.duration.observe(labels, (performance.now() - startedAt) / 1000);
    },
  };
}

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

function unknownWorker(name: string, model: ServedModel): ApiError {
  const names = model.router.workerNames();
  return invalidRequest(
    `No worker '${name.slice(0, 100)}' serves this model; the header x-stator-worker takes one of: ${names.join(", ")}.`,
    "x-stator-worker",
    "unknown_worker",
  );
}

const isTrue = (value: string | undefined) => value === "1" || value?.toLowerCase() === "true";
