import type { Router } from "#router-wasm";
import type { BlockListener } from "#workers";
import type { BlockNames } from "./block-names.ts";

/**
 * Reports the changes to a worker's prefix cache during a step to the router when the step ends. Consecutive blocks are
 * one event, as vLLM publishes them.
 */
export class StepEvents implements BlockListener {
  readonly #router: Router;
  readonly #worker: number;
  readonly #names: BlockNames;
  #stored: number[] = [];
  #removed: number[] = [];

  constructor(router: Router, worker: number, names: BlockNames) {
    this.#router = router;
    this.#worker = worker;
    this.#names = names;
  }

  /** A listener for another router, which also reports the changes of the current step so far. */
  fork(router: Router): StepEvents {
    const fork = new StepEvents(router, this.#worker, this.#names);
    fork.#stored = [...this.#stored];
    fork.#removed = [...this.#removed];
    return fork;
  }

  /** Blocks are stored at the end of a step; those removed at its start are reported first. */
  onStored(name: number): void {
    this.#endRemoved();
    if (this.#stored.length > 0 && this.#names.parentOf(name) !== this.#stored.at(-1)) this.#endStored();
    this.#stored.push(name);
  }

  onRemoved(name: number): void {
    this.#removed.push(name);
  }

  endStep(): void {
    this.#endRemoved();
    this.#endStored();
  }

  #endStored(): void {
    if (this.#stored.length === 0) return;
    const { blockSize } = this.#names;
    const parent = this.#names.parentOf(this.#stored[0]!);
    const tokenIds = new Uint32Array(this.#stored.length * blockSize);
    this.#stored.forEach((name, index) => {
      tokenIds.fill(this.#names.tokenOf(name), index * blockSize, (index + 1) * blockSize);
    });
    this.#router.applyStored(
      this.#worker,
      toHashes(this.#stored),
      parent === undefined ? undefined : engineHash(parent),
      tokenIds,
    );
    this.#stored = [];
  }

  #endRemoved(): void {
    if (this.#removed.length === 0) return;
    this.#router.applyRemoved(this.#worker, toHashes(this.#removed));
    this.#removed = [];
  }
}

/** Sends the same events to several listeners. */
export class EventFanOut implements BlockListener {
  readonly #listeners: StepEvents[];

  constructor(listeners: readonly StepEvents[]) {
    this.#listeners = [...listeners];
  }

  /** From now on, sends them to another router too. */
  add(router: Router): void {
    const [first] = this.#listeners;
    if (first !== undefined) this.#listeners.push(first.fork(router));
  }

  onStored(name: number): void {
    for (const listener of this.#listeners) listener.onStored(name);
  }

  onRemoved(name: number): void {
    for (const listener of this.#listeners) listener.onRemoved(name);
  }

  endStep(): void {
    for (const listener of this.#listeners) listener.endStep();
  }
}

const engineHash = (name: number): bigint => BigInt(name);

const toHashes = (names: readonly number[]) => BigUint64Array.from(names, engineHash);

/** For a worker whose cache is not tracked. */
export const noEvents = { onStored() {}, onRemoved() {}, endStep() {} };
