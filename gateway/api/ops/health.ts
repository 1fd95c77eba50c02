import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import type { OpsDependencies } from "../dependencies.ts";

/**
 * `GET /health`: 200 while at least one model can answer and the gateway is not draining, else 503. A model that is
 * taking over what other gateways know of caches can answer, but does not count yet. Reports the
 * state of models and workers, and which workers were rejected and why. It is open to everyone, so it omits
 * addresses and process ids, and shows names only to authorized clients.
 */
export function health(
  context: Context<GatewayEnv>,
  { models: all, workers: discovered, state }: OpsDependencies,
): Response {
  const showsNames = !context.get("hidesNames");
  const models = all.all().map((model) => {
    const { name } = model;
    const workers = model.views();
    const { isEncoder } = model;
    const isReady = isEncoder
      ? workers.some(({ status }) => status === "ready")
      : model.isReady && !model.isWarming;
    return {
      ...(showsNames && { name }),
      ...(isEncoder && { role: "encode" }),
      status: isReady ? "ready" : workers.some(({ status }) => status === "down") ? "down" : "starting",
      workers: workers.map(({ instance, kind, role, status }) => ({
        ...(showsNames && { name: instance.name }),
        kind,
        role,
        status,
      })),
    };
  });
  const isReady =
    models.some(({ status, role }) => status === "ready" && role === undefined) && !state.isDraining;
  const isDown = models.some((model) => model.status === "down");
  const status = isReady ? "ready" : state.isDraining ? "draining" : isDown ? "down" : "starting";
  const refused = discovered.refused().map(({ field, ...rest }) => ({ field, ...(showsNames && rest) }));
  return context.json({ status, models, ...(refused.length > 0 && { refused }) }, isReady ? 200 : 503);
}
