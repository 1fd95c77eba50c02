import { type MetricsSnapshot, mergeMetrics } from "#runtime";
import type { OpsDependencies } from "../dependencies.ts";

/**
 * `GET /metrics` in Prometheus' text format. The router core's figures are read on each scrape, and cost nothing in
 * between.
 * @param readOthers reads the metrics of the gateway's other processes
 */
export function createMetricsRoute(
  { metrics, models }: OpsDependencies,
  readOthers: (() => Promise<readonly MetricsSnapshot[]>) | undefined,
): () => Promise<Response> {
  const { registry } = metrics.all;
  const { gauge } = metrics.all;
  const labels = ["model", "worker", "rank"] as const;
  const perRank = {
    activeDecodeBlocks: gauge("worker_active_decode_blocks", "KV blocks booked on a worker.", labels),
    activePrefillTokens: gauge(
      "worker_active_prefill_tokens",
      "Uncached prompt tokens of a worker's requests that await their first token.",
      labels,
    ),
    activeRequests: gauge("worker_active_requests", "Requests booked on a worker.", labels),
    storedBlocks: gauge("worker_stored_blocks", "KV blocks that a worker's events say it holds.", labels),
    predictedBlocks: gauge(
      "worker_predicted_blocks",
      "KV blocks that a worker is predicted to hold because they were routed to it.",
      labels,
    ),
    hostBlocks: gauge("worker_host_blocks", "KV blocks that a worker holds in host memory.", labels),
    diskBlocks: gauge("worker_disk_blocks", "KV blocks that a worker holds on disk.", labels),
  };
  const workerReady = gauge("worker_ready", "1 while the worker can receive requests.", ["model", "worker"]);
  const queued = gauge("router_queue_pending_requests", "Requests queued until a worker has capacity.", [
    "model",
  ]);
  const shutOut = gauge(
    "router_shut_out_workers",
    "Workers that get no requests because they exceed --index-workers.",
    ["model"],
  );
  const ready = gauge("model_ready", "1 while a model can answer.", ["model"]);
  const contextLength = gauge("model_context_length", "Longest prompt plus answer, in tokens.", ["model"]);
  const coreStats = gauge("router_core", "The router core's own counters and gauges, by name.", [
    "model",
    "stat",
  ]);

  return async () => {
    const all = [...Object.values(perRank), workerReady, queued, shutOut, ready, contextLength, coreStats];
    for (const metric of all) metric.reset();
    for (const each of models.all()) {
      const { name: model, isReady, router, waiting, contextLength: length } = each;
      const workers = each.views();
      ready.set({ model }, isReady ? 1 : 0);
      if (length !== undefined) contextLength.set({ model }, length);
      shutOut.set({ model }, workers.filter(({ isShutOut }) => isShutOut).length);
      for (const worker of workers) {
        const { name } = worker.instance;
        workerReady.set({ model, worker: name }, worker.canServe ? 1 : 0);
        for (const load of worker.loads()) {
          const of = { model, worker: name, rank: String(load.rank) };
          perRank.activeDecodeBlocks.set(of, load.activeDecodeBlocks);
          perRank.activePrefillTokens.set(of, load.activePrefillTokens);
          perRank.activeRequests.set(of, load.activeRequests);
          perRank.storedBlocks.set(of, load.storedBlocks);
          perRank.predictedBlocks.set(of, load.predictedBlocks);
          perRank.hostBlocks.set(of, load.hostBlocks);
          perRank.diskBlocks.set(of, load.diskBlocks);
        }
      }
      queued.set({ model }, waiting);
      for (const [stat, value] of Object.entries(router.stats())) coreStats.set({ model, stat }, value);
    }
    const text =
      readOthers === undefined
        ? await registry.metrics()
        : (await mergeMetrics([await registry.getMetricsAsJSON(), ...(await readOthers())])).text;
    return new Response(text, { headers: { "content-type": registry.contentType } });
  };
}
