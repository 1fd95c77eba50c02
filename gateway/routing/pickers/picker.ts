import type { CandidateCost, Policy } from "#router-wasm";
import type { RoutingContext } from "../scorers/scorer.ts";

/**
 * Picks one of the candidates. A core picker picks in the call that computes their costs; a custom picker gets the
 * costs, and its choice is booked with a second call to the core.
 */
export type Picker = CorePicker | CustomPicker;

/** `kv` picks the cheapest, or samples by cost if there is a temperature; the others ignore costs. */
export interface CorePicker {
  readonly core: Policy;
}

export interface CustomPicker {
  /**
   * @param candidates at least one, in order of their core indices
   * @param random uniform in [0, 1)
   * @returns the core index of one of them
   */
  pick(candidates: readonly CandidateCost[], context: RoutingContext, random: number): number;
}
