import { type KvEvent, type Logger, seededRandom } from "#runtime";
import type { Delta } from "../../engine.ts";
import type { Fault } from "./fault.ts";
import { parseFault } from "./parse.ts";

export interface FaultOptions {
  /** Each in the form `KIND[:NAME=VALUE]…`; see `parseFault`. */
  faults: readonly string[];
  /** The same faults with the same seed hit the same requests, steps and events. */
  seed: number;
  log: Logger;
  /** Kills the process; default: by SIGKILL, like a crash. */
  crash?: (() => void) | undefined;
}

/** All faults of an engine, chained. Without any, everything passes unchanged. */
export class InjectedFaults {
  readonly #faults: Fault[];

  /** @throws RangeError for an invalid fault */
  constructor({ faults, seed, log, crash = killProcess }: FaultOptions) {
    // Each has its own random numbers, so that adding a fault does not change the others.
    this.#faults = faults.map((text, index) =>
      parseFault(text).create({ random: seededRandom(seed * 1009 + index), log, crash }),
    );
    if (faults.length > 0) log.warn("faults are injected", { faults: faults.join(" "), seed });
  }

  answer(deltas: AsyncIterable<Delta>, signal: AbortSignal): AsyncIterable<Delta> {
    return this.#faults.reduce((inner, fault) => fault.answer?.(inner, signal) ?? inner, deltas);
  }

  async beforeExport(signal: AbortSignal): Promise<void> {
    for (const fault of this.#faults) await fault.beforeExport?.(signal);
  }

  async afterImport(signal: AbortSignal): Promise<void> {
    for (const fault of this.#faults) await fault.afterImport?.(signal);
  }

  stepFactor(): number {
    return this.#faults.reduce((factor, fault) => factor * (fault.stepFactor?.() ?? 1), 1);
  }

  events(events: KvEvent[], dataParallelRank: number): KvEvent[] {
    return this.#faults.reduce((inner, fault) => fault.events?.(inner, dataParallelRank) ?? inner, events);
  }
}

function killProcess(): void {
  process.kill(process.pid, "SIGKILL");
}
