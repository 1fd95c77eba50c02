/** Resources that are remembered; the oldest are forgotten first. */
const REMEMBERED = 100_000;

/** What engines keep for their clients. */
export interface KeptResources {
  /** The engine of this name has given its client this id. */
  remember(id: string, engine: string): void;
  /** The name of the engine that has it, where that is known. */
  find(id: string): string | undefined | Promise<string | undefined>;
}

/**
 * Which engine has what it once gave an id: stored responses, files, batches. Requests that speak of such an id must
 * go there.
 */
export class ResourceLocations implements KeptResources {
  readonly #engines = new Map<string, string>();

  remember(id: string, engine: string): void {
    this.#engines.delete(id);
    this.#engines.set(id, engine);
    if (this.#engines.size <= REMEMBERED) return;
    const [oldest] = this.#engines.keys();
    if (oldest !== undefined) this.#engines.delete(oldest);
  }

  find(id: string): string | undefined {
    return this.#engines.get(id);
  }
}
