import type { QueuePlace } from "./fair-queue.ts";

/** What waits for prefill workers in a queue. */
export class PrefillWait {
  #count = 0;
  /** Prompt tokens by priority. */
  readonly #tokens = new Map<number, number>();

  /** Number of requests. */
  get count(): number {
    return this.#count;
  }

  /** Prompt tokens that go before a new request of this priority; 0 only if none do. */
  ahead(priority: number): number {
    let sum = 0;
    for (const [each, tokens] of this.#tokens) if (each >= priority) sum += tokens;
    return sum;
  }

  add({ priority, work }: QueuePlace): void {
    this.#count++;
    this.#tokens.set(priority, (this.#tokens.get(priority) ?? 0) + tokensOf(work));
  }

  remove({ priority, work }: QueuePlace): void {
    this.#count--;
    const left = (this.#tokens.get(priority) ?? 0) - tokensOf(work);
    if (left > 0) this.#tokens.set(priority, left);
    else this.#tokens.delete(priority);
  }
}

/** At least one, so that whoever waits is seen. */
const tokensOf = (work: number): number => Math.max(1, work);
