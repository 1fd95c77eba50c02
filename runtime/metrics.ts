import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export type { Counter, Gauge, Histogram, Registry } from "prom-client";

export interface MetricsOptions {
  /** Labels of every sample of this process: `{ component: "worker", worker: "llama-0" }`. */
  labels?: Record<string, string>;
  /** Whether to measure CPU, memory, open files, garbage collection and event-loop delay. Default true. */
  process?: boolean;
}

/** A process's Prometheus metrics. Names are given without the prefix `stator_`. */
export interface Metrics {
  readonly registry: Registry;
  /** A count that only rises; its name ends in `_total`. */
  counter<L extends string = never>(name: string, help: string, labels?: readonly L[]): Counter<L>;
  /** A value that rises and falls. */
  gauge<L extends string = never>(name: string, help: string, labels?: readonly L[]): Gauge<L>;
  /** A gauge whose value is read at each scrape. */
  readGauge(name: string, help: string, read: () => number): void;
  /** A distribution over `buckets`, given by their upper bounds; times are in seconds. */
  histogram<L extends string = never>(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly L[],
  ): Histogram<L>;
}

/** Buckets for the time to first token and whole requests, in seconds: 5 ms to 2 minutes. */
export const ttftBuckets: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 20, 30, 60, 120,
];

/** Buckets for the time between tokens (inter-token latency), in seconds: 1 ms to 5 s. */
export const itlBuckets: readonly number[] = [
  0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5,
];

/**
 * Creates a metrics registry for this process.
 *
 * @example
 * const metrics = createMetrics({ labels: { component: "worker" } });
 * const ttft = metrics.histogram("time_to_first_token_seconds", "Request to first token.", ttftBuckets, ["model"]);
 * ttft.observe({ model }, seconds);
 */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  const registry = new Registry();
  if (options.labels) registry.setDefaultLabels(options.labels);
  if (options.process ?? true) measureProcess(registry);
  const common = (name: string, help: string) => ({ name: `stator_${name}`, help, registers: [registry] });
  return {
    registry,
    counter: (name, help, labels = []) => new Counter({ ...common(name, help), labelNames: labels }),
    gauge: (name, help, labels = []) => new Gauge({ ...common(name, help), labelNames: labels }),
    readGauge(name, help, read) {
      new Gauge({
        ...common(name, help),
        collect() {
          this.set(read());
        },
      });
    },
    histogram: (name, help, buckets, labels = []) =>
      new Histogram({ ...common(name, help), labelNames: labels, buckets: [...buckets] }),
  };
}

function measureProcess(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  // These are gauges, but Prometheus reserves `_total` for counters. They sum the gauges of the same name without it.
  for (const kind of ["handles", "requests", "resources"])
    registry.removeSingleMetric(`nodejs_active_${kind}_total`);
}

/** One process's metrics at one moment, as plain data. */
export type MetricsSnapshot = Awaited<ReturnType<Registry["getMetricsAsJSON"]>>;

/** Merges the metrics of several processes: sums, or each metric's own aggregation (such as averages). */
export async function mergeMetrics(snapshots: readonly MetricsSnapshot[]): Promise<{
  /** In Prometheus' text format. */
  readonly text: string;
  readonly snapshot: MetricsSnapshot;
}> {
  const merged = AggregatorRegistry.aggregate([...snapshots]);
  return { text: await merged.metrics(), snapshot: await merged.getMetricsAsJSON() };
}
