import type { Context } from "hono";
import type { GatewayDependencies } from "../../dependencies.ts";

/**
 * `GET /health`: 200 while at least one model can answer, else 503. It names models and workers and their
 * state, and no addresses or process ids: anybody may ask.
 */
export function health(context: Context, { models: all }: GatewayDependencies): Response {
  const models = all.list().map(({ name, isReady, workers }) => ({
    name,
    status: isReady ? "ready" : "starting",
    workers: workers.map((worker) => ({ name: worker.instance.name, status: worker.status })),
  }));
  const isReady = models.some((model) => model.status === "ready");
  return context.json({ status: isReady ? "ready" : "starting", models }, isReady ? 200 : 503);
}
