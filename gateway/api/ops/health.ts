import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import type { OpsDependencies } from "../dependencies.ts";

/**
 * `GET /health`: 200 while at least one model can answer and the gateway is not about to stop, else 503. It tells the
 * state of models and workers, which workers are refused and why, and no addresses or process ids: anybody may ask.
 * Names it tells only whoever may come in.
 */
export function health(
  context: Context<GatewayEnv>,
  { models: all, refusedWorkers, state }: OpsDependencies,
): Response {
  const tellsNames = !context.get("isStranger");
  const models = all.all().map((model) => {
    const { name, isReady } = model;
    const workers = model.views();
    return {
      ...(tellsNames && { name }),
      status: isReady ? "ready" : workers.some(({ status }) => status === "down") ? "down" : "starting",
      workers: workers.map(({ instance, status }) => ({
        ...(tellsNames && { name: instance.name }),
        status,
      })),
    };
  });
  const isReady = models.some((model) => model.status === "ready") && !state.isDraining;
  const isDown = models.some((model) => model.status === "down");
  const status = isReady ? "ready" : state.isDraining ? "draining" : isDown ? "down" : "starting";
  const refused = refusedWorkers().map(({ field, ...rest }) => ({ field, ...(tellsNames && rest) }));
  return context.json({ status, models, ...(refused.length > 0 && { refused }) }, isReady ? 200 : 503);
}
