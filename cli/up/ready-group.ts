/** Waits until every child is ready, or one has exited before that. */
export class ReadyGroup {
  readonly urls = new Map<string, string>();
  readonly #missing: number;
  readonly #outcome = Promise.withResolvers<string | undefined>();

  constructor(count: number) {
    this.#missing = count;
  }

  /** Undefined when all are ready; else what went wrong. */
  get settled(): Promise<string | undefined> {
    return this.#outcome.promise;
  }

  get isComplete(): boolean {
    return this.urls.size === this.#missing;
  }

  add(name: string, url: string): void {
    this.urls.set(name, url);
    if (this.isComplete) this.#outcome.resolve(undefined);
  }

  fail(name: string, reason: string): boolean {
    if (this.urls.has(name)) return false;
    this.#outcome.resolve(`${name} did not start (${reason})`);
    return true;
  }
}
