/** Resources that are remembered; the oldest are forgotten first. */
const REMEMBERED = 100_000;

/**
 * Which engine has what it once gave an id: stored responses, files, batches. Requests that speak of such an id must
 * go there.
 */
export class ResourceHomes {
  readonly #engines = new Map<string, string>();

  remember(id: string, engine: string): void {
    this.#engines.delete(id);
    this.#engines.set(id, engine);
    if (this.#engines.size <= REMEMBERED) return;
    const [oldest] = this.#engines.keys();
    if (oldest !== undefined) this.#engines.delete(oldest);
  }

  /** The engine's name. */
  find(id: string): string | undefined {
    return this.#engines.get(id);
  }
}
