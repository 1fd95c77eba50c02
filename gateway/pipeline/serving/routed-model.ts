import type { ModelMetrics } from "../../metrics.ts";
import type { ModelRouter } from "../../routing/model-router.ts";
import type { Admission } from "../../routing/queue/admission.ts";
import type { RecentlyLeft } from "../../routing/recently-left.ts";
import type { RoutedWorker } from "../../routing/workers.ts";

/** What a model has whose requests are routed, whatever speaks behind it. */
export interface RoutedModel<Worker extends RoutedWorker> {
  readonly name: string;
  readonly router: ModelRouter<Worker>;
  /** How requests get to the router's workers. */
  readonly admission: Admission<Worker>;
  /** Workers that were the model's until a short while ago. */
  readonly left: RecentlyLeft;
  readonly metrics: ModelMetrics;
}
