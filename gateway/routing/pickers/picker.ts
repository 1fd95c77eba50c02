import type { CandidateCost, Policy } from "#router-wasm";
import type { Choosing } from "../scorers/scorer.ts";

/**
 * Takes one of the candidates. One of the core's own picks in the call that prices them; one in TypeScript is given
 * their costs, and the core is called again to book its choice.
 */
export type Picker = CorePicker | OwnPicker;

/** `kv` takes the cheapest, or draws by the cost where there is a temperature; the others do not look at costs. */
export interface CorePicker {
  readonly core: Policy;
}

export interface OwnPicker {
  /**
   * @param candidates at least one, by index
   * @param random uniform in [0, 1)
   * @returns the index of one of them in the core
   */
  pick(candidates: readonly CandidateCost[], choosing: Choosing, random: number): number;
}
