import type { Metrics } from "../metrics.ts";
import type { Discovery, StoreState } from "./types.ts";

/** Follows whether a store answers its calls, and tells each change once. */
export class Reachability {
  readonly #onChange: (state: StoreState) => void;
  #awaySince: number | undefined;

  constructor(onChange: (state: StoreState) => void) {
    this.#onChange = onChange;
  }

  get isReachable(): boolean {
    return this.#awaySince === undefined;
  }

  answered(): void {
    if (this.#awaySince === undefined) return;
    const awayMs = performance.now() - this.#awaySince;
    this.#awaySince = undefined;
    this.#onChange({ isReachable: true, awayMs });
  }

  failed(error: unknown): void {
    if (this.#awaySince !== undefined) return;
    this.#awaySince = performance.now();
    const reason = error instanceof Error ? error.message : String(error);
    this.#onChange({ isReachable: false, reason, awayMs: 0 });
  }
}

/** The gauge `stator_discovery_reachable`. */
export function measureDiscovery(metrics: Metrics, discovery: Discovery): void {
  const help = "Whether discovery's store answers: 1, or 0 while this process goes on with what it knows.";
  metrics.readGauge("discovery_reachable", help, () => Number(discovery.isReachable));
}
