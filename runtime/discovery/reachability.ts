import { messageOf } from "../message-of.ts";
import type { Metrics } from "../metrics.ts";
import type { Discovery, StoreState } from "./types.ts";

/** Tracks whether a store answers its calls, and reports each change once. */
export class Reachability {
  readonly #onChange: (state: StoreState) => void;
  #failingSince: number | undefined;

  constructor(onChange: (state: StoreState) => void) {
    this.#onChange = onChange;
  }

  get isReachable(): boolean {
    return this.#failingSince === undefined;
  }

  answered(): void {
    if (this.#failingSince === undefined) return;
    const outageMs = performance.now() - this.#failingSince;
    this.#failingSince = undefined;
    this.#onChange({ isReachable: true, outageMs });
  }

  failed(error: unknown): void {
    if (this.#failingSince !== undefined) return;
    this.#failingSince = performance.now();
    const reason = messageOf(error);
    this.#onChange({ isReachable: false, reason, outageMs: 0 });
  }
}

/** The gauge `stator_discovery_reachable`. */
export function measureDiscovery(metrics: Metrics, discovery: Discovery): void {
  const help =
    "Whether discovery's store answers: 1, or 0 while this process continues with the last known state.";
  metrics.readGauge("discovery_reachable", help, () => Number(discovery.isReachable));
}
