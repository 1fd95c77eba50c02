import type { ModelMetrics } from "../kernel/metrics.ts";
import type { RouteSource } from "../routing/queue/route-source.ts";
import type { RecentlyLeft } from "../routing/recently-left.ts";
import type { RoutedWorker } from "../routing/workers.ts";

/** What a model has whose requests are routed, whatever speaks behind it. */
export interface RoutedModel<Worker extends RoutedWorker> {
  readonly name: string;
  /** Tokens in a KV block. */
  readonly blockSize: number;
  /** How requests get to its workers. */
  readonly admission: RouteSource<Worker>;
  /** Its workers, ready or not. */
  members(): Worker[];
  /** Workers that were the model's until a short while ago. */
  readonly left: RecentlyLeft;
  readonly metrics: ModelMetrics;
}
