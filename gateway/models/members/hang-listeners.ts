/** Requests that wait for an engine's first byte, and want to know when it answers nothing any more. */
export class HangListeners {
  readonly #listeners = new Set<(reason: string) => void>();

  /** @returns ends it */
  add(listener: (reason: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(reason: string): void {
    for (const listener of [...this.#listeners]) listener(reason);
  }
}
