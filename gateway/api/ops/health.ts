import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import type { OpsDependencies } from "../dependencies.ts";

/**
 * `GET /health`: 200 while at least one model can answer and the gateway is not about to stop, else 503. It tells the
 * state of models and workers, which workers are refused and why, and no addresses or process ids: anybody may ask.
 * Names it tells only whoever may come in.
 */
export function health(context: Context<GatewayEnv>, { models: all, state }: OpsDependencies): Response {
  const tellsNames = !context.get("isStranger");
  const models = all.list().map(({ name, isReady, workers }) => ({
    ...(tellsNames && { name }),
    status: isReady ? "ready" : workers.some(({ status }) => status === "down") ? "down" : "starting",
    workers: workers.map((worker) => ({
      ...(tellsNames && { name: worker.instance.name }),
      status: worker.status,
    })),
  }));
  const isReady = models.some((model) => model.status === "ready") && !state.isDraining;
  const isDown = models.some((model) => model.status === "down");
  const status = isReady ? "ready" : state.isDraining ? "draining" : isDown ? "down" : "starting";
  const refused = all.refused().map(({ field, ...rest }) => ({ field, ...(tellsNames && rest) }));
  return context.json({ status, models, ...(refused.length > 0 && { refused }) }, isReady ? 200 : 503);
}
