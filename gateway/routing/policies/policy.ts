import type { Picker } from "../pickers/picker.ts";
import type { Scorer } from "../scorers/scorer.ts";

/** How a worker is chosen among those that pass the filters. */
export interface RoutingPolicy {
  /** Whether the choice depends on workers' caches, which are predicted from requests only in that case. */
  readonly readsCaches: boolean;
  /** Add to the core's own cost terms. Created for each router. */
  readonly scorers?: readonly (() => Scorer)[];
  readonly picker: Picker;
}
