import { type Metrics, PlaneError } from "#runtime";

const BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300];

export interface ServiceMetrics {
  /** Runs a request, and counts it by its outcome. */
  measure(endpoint: string, run: () => Promise<void>): Promise<void>;
}

export function createServiceMetrics(all: Metrics): ServiceMetrics {
  const requests = all.counter("service_requests_total", "Requests to a service, by outcome.", [
    "endpoint",
    "outcome",
  ]);
  const running = all.gauge("service_running_requests", "Requests that a service is answering.", [
    "endpoint",
  ]);
  const duration = all.histogram(
    "service_request_duration_seconds",
    "Time from a request's arrival to the end of its answer.",
    BUCKETS,
    ["endpoint"],
  );
  return {
    async measure(endpoint, run) {
      const since = performance.now();
      running.inc({ endpoint });
      let outcome = "ok";
      try {
        await run();
      } catch (error) {
        outcome = error instanceof PlaneError ? error.code : "internal";
        throw error;
      } finally {
        running.dec({ endpoint });
        duration.observe({ endpoint }, (performance.now() - since) / 1000);
        requests.inc({ endpoint, outcome });
      }
    },
  };
}
