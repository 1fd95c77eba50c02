import { type KvEvent, type Logger, seededRandom } from "#runtime";
import type { Delta } from "../../engine.ts";
import type { Fault } from "./fault.ts";
import { parseFault } from "./parse.ts";

export interface FaultOptions {
  /** Each in the form `KIND[:NAME=VALUE]…`; see `parseFault`. */
  faults: readonly string[];
  /** The same faults with the same seed strike the same requests, steps and events. */
  seed: number;
  log: Logger;
  /** Ends the process; default: as a crash would, by SIGKILL. */
  crash?: (() => void) | undefined;
}

/** All of an engine's faults, one behind the other. Without any, everything passes as it is. */
export class InjectedFaults {
  readonly #faults: Fault[];

  /** @throws RangeError for a fault that there is not */
  constructor({ faults, seed, log, crash = killProcess }: FaultOptions) {
    // Numbers of its own for each, so that one more fault does not change the others.
    this.#faults = faults.map((text, index) =>
      parseFault(text).create({ random: seededRandom(seed * 1009 + index), log, crash }),
    );
    if (faults.length > 0) log.warn("faults are injected", { faults: faults.join(" "), seed });
  }

  answer(deltas: AsyncIterable<Delta>, signal: AbortSignal): AsyncIterable<Delta> {
    return this.#faults.reduce((inner, fault) => fault.answer?.(inner, signal) ?? inner, deltas);
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
