import type { GatewayDependencies } from "../../dependencies.ts";

/**
 * `GET /metrics` in Prometheus' text format. What the router core knows is read when it is asked for, and
 * costs nothing in between.
 */
export function createMetricsRoute({ metrics, models }: GatewayDependencies): () => Promise<Response> {
  const { registry } = metrics.all;
  const { gauge } = metrics.all;
  const perWorker = {
    activeDecodeBlocks: gauge("worker_active_decode_blocks", "KV blocks booked on a worker.", [
      "model",
      "worker",
    ]),
    activePrefillTokens: gauge(
      "worker_active_prefill_tokens",
      "Uncached prompt tokens booked on a worker whose first token has not come.",
      ["model", "worker"],
    ),
    activeRequests: gauge("worker_active_requests", "Requests booked on a worker.", ["model", "worker"]),
    storedBlocks: gauge("worker_stored_blocks", "KV blocks that a worker has said it holds.", [
      "model",
      "worker",
    ]),
    ready: gauge("worker_ready", "1 while the gateway is connected to the worker.", ["model", "worker"]),
  };
  const ready = gauge("model_ready", "1 while a model can answer.", ["model"]);
  const contextLength = gauge("model_context_length", "Longest prompt plus answer in tokens.", ["model"]);
  const coreStats = gauge("router_core", "The router core's own counters and gauges, by name.", [
    "model",
    "stat",
  ]);

  return async () => {
    const all = [...Object.values(perWorker), ready, contextLength, coreStats];
    for (const metric of all) metric.reset();
    for (const { name: model, served, workers } of models.list()) {
      ready.set(
        { model },
        served !== undefined && workers.some((worker) => worker.state === "ready") ? 1 : 0,
      );
      for (const worker of workers) {
        const labels = { model, worker: worker.instance.name };
        perWorker.ready.set(labels, worker.state === "ready" ? 1 : 0);
        contextLength.set({ model }, worker.instance.card.contextLength);
        if (served === undefined) continue;
        const load = served.router.load(worker);
        perWorker.activeDecodeBlocks.set(labels, load.activeDecodeBlocks);
        perWorker.activePrefillTokens.set(labels, load.activePrefillTokens);
        perWorker.activeRequests.set(labels, load.activeRequests);
        perWorker.storedBlocks.set(labels, load.storedBlocks);
      }
      if (served === undefined) continue;
      for (const [stat, value] of Object.entries(served.router.stats()))
        coreStats.set({ model, stat }, value);
    }
    return new Response(await registry.metrics(), { headers: { "content-type": registry.contentType } });
  };
}
