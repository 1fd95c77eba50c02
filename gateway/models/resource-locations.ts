/** Most resources that are remembered; the oldest are evicted first. */
const MAX_RESOURCES = 100_000;

/** Knows which engine stores a resource: a response, file or batch. */
export interface ResourceDirectory {
  /** Records that the engine of this name stores the resource. */
  remember(id: string, engine: string): void;
  /** The name of the engine that stores the resource, if known. */
  find(id: string): string | undefined | Promise<string | undefined>;
}

/**
 * Maps resource ids to engines, in memory. Requests that refer to a resource must go to its engine.
 */
export class ResourceLocations implements ResourceDirectory {
  readonly #engines = new Map<string, string>();

  remember(id: string, engine: string): void {
    this.#engines.delete(id);
    this.#engines.set(id, engine);
    if (this.#engines.size <= MAX_RESOURCES) return;
    const [oldest] = this.#engines.keys();
    if (oldest !== undefined) this.#engines.delete(oldest);
  }

  find(id: string): string | undefined {
    return this.#engines.get(id);
  }
}
