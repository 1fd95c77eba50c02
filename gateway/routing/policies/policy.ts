import type { Picker } from "../pickers/picker.ts";
import type { Scorer } from "../scorers/scorer.ts";

/** How a worker is chosen among those that the filters leave. */
export interface RoutingPolicy {
  /** Whether it goes by what workers have cached: only then is it predicted from what they are sent. */
  readonly readsCaches: boolean;
  /** What adds to the workers' costs beside the core's own terms; made anew for each router. */
  readonly scorers?: readonly (() => Scorer)[];
  readonly picker: Picker;
}
