import { hasAll } from "./filters/tags.ts";
import type { RoutedInstance } from "./workers.ts";

/** How long a worker that has left is remembered: as long as one takes to start again, about. */
const REMEMBERED_MS = 60_000;

/**
 * Workers of a model that have left a short while ago. A request that names one of them, or tags that only they had,
 * is not wrong but early, or has been overtaken.
 */
export class RecentlyLeft {
  /** In order of leaving; the key is the worker's id. */
  readonly #left = new Map<string, { instance: RoutedInstance; at: number }>();

  add(instance: RoutedInstance, now: number): void {
    this.#left.delete(instance.id);
    this.#left.set(instance.id, { instance, at: now });
    this.#forget(now);
  }

  /** Whether none has left lately. */
  isEmpty(now: number): boolean {
    return !this.#some(now, () => true);
  }

  /** Whether a worker of this id or name is among them. */
  knows(idOrName: string, now: number): boolean {
    return this.#some(now, ({ id, name }) => id === idOrName || name === idOrName);
  }

  /** Whether any of them had all these tags. */
  hadTags(tags: readonly string[], now: number): boolean {
    return this.#some(now, (instance) => hasAll({ instance }, tags));
  }

  #some(now: number, test: (instance: RoutedInstance) => boolean): boolean {
    this.#forget(now);
    return [...this.#left.values()].some(({ instance }) => test(instance));
  }

  #forget(now: number): void {
    for (const [id, { at }] of this.#left) {
      if (now - at <= REMEMBERED_MS) return;
      this.#left.delete(id);
    }
  }
}
