import type { RoutedWorker } from "../../routing/workers.ts";
import type { HangListeners } from "./hang-listeners.ts";

/** Who answers a model's requests: a worker of Stator's, or one model of an attached engine. */
export interface Member extends RoutedWorker {
  /** Told when checks have found that it answers nothing any more. */
  readonly hangs: HangListeners;
  /** What share of its requests it gets, 0 to 1: less than all for a while after it has come. */
  shareAt(now: number): number;
  /** A request has had its answer, or as much of it as its client waited for. */
  reportSuccess(): void;
  /**
   * A request failed by the member's fault.
   * @param isUnreachable whether not even a connection came about
   */
  reportFailure(reason: string, isUnreachable: boolean): void;
}
