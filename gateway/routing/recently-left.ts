import { hasAll } from "./filters/tags.ts";
import type { RoutedInstance } from "./workers.ts";

/** How long a worker is remembered after it has left: about the time that a restart takes. */
const REMEMBERED_MS = 60_000;

interface Left {
  readonly instance: RoutedInstance;
  readonly adapters: readonly string[];
  readonly at: number;
}

/**
 * Workers of a model that left recently. A request that names one of them, or tags or a LoRA adapter that only they had, is
 * not invalid: the worker may be back soon.
 */
export class RecentlyLeft {
  /** By worker id, in the order in which they left. */
  readonly #left = new Map<string, Left>();

  /** @param adapters the LoRA adapters that it had */
  add(instance: RoutedInstance, now: number, adapters: readonly string[] = []): void {
    this.#left.delete(instance.id);
    this.#left.set(instance.id, { instance, adapters, at: now });
    this.#forget(now);
  }

  /** Whether no worker has left recently. */
  isEmpty(now: number): boolean {
    return !this.#some(now, () => true);
  }

  /** Whether a worker with this id or name left recently. */
  knows(idOrName: string, now: number): boolean {
    return this.#some(now, ({ instance: { id, name } }) => id === idOrName || name === idOrName);
  }

  /** Whether a worker with all these tags left recently. */
  hadTags(tags: readonly string[], now: number): boolean {
    return this.#some(now, (left) => hasAll(left, tags));
  }

  /** Whether a worker with this LoRA adapter left recently. */
  hadAdapter(name: string, now: number): boolean {
    return this.#some(now, ({ adapters }) => adapters.includes(name));
  }

  #some(now: number, test: (left: Left) => boolean): boolean {
    this.#forget(now);
    return [...this.#left.values()].some(test);
  }

  #forget(now: number): void {
    for (const [id, { at }] of this.#left) {
      if (now - at <= REMEMBERED_MS) return;
      this.#left.delete(id);
    }
  }
}
