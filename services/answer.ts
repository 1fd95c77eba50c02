/** Items that are kept before their sender is held back. */
const MOST_WAITING = 64;

/**
 * What an endpoint answers: a stream of items, or a promise of the only one. Read it in one of the two ways. Leaving a
 * loop over it cancels the request.
 */
export class Answer implements AsyncIterableIterator<unknown>, PromiseLike<unknown> {
  readonly #decode: (bytes: Uint8Array) => unknown;
  readonly #items: unknown[] = [];
  #waiting: PromiseWithResolvers<IteratorResult<unknown>>[] = [];
  #error: Error | undefined;
  #state: "open" | "ended" | "cancelled" = "open";
  #hasBegun = false;
  /** Called when there is room again after `push` has returned false. */
  onDrained: (() => void) | undefined;
  /** Called when its reader wants no more. */
  onCancel: (() => void) | undefined;

  constructor(decode: (bytes: Uint8Array) => unknown) {
    this.#decode = decode;
  }

  /** Whether an item has come. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  get isCancelled(): boolean {
    return this.#state === "cancelled";
  }

  /** Adds an item. @returns false if its sender is to be held back. @throws what the codec throws */
  push(bytes: Uint8Array): boolean {
    if (this.#state !== "open") return true;
    this.#hasBegun = true;
    // The bytes are only valid now, and a decoded value may share them.
    const value = this.#decode(bytes.slice());
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) waiting.resolve({ value, done: false });
    else this.#items.push(value);
    return this.#items.length < MOST_WAITING;
  }

  end(): void {
    this.#settle("ended");
  }

  fail(error: Error): void {
    if (this.#state !== "open") return;
    this.#error = error;
    this.#settle("ended");
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The same as a stream only: an async function that returns it does not await it. */
  get stream(): AsyncIterableIterator<unknown> {
    const stream: AsyncIterableIterator<unknown> = {
      [Symbol.asyncIterator]: () => stream,
      next: () => this.next(),
      return: () => this.return(),
    };
    return stream;
  }

  async next(): Promise<IteratorResult<unknown>> {
    if (this.#items.length > 0) {
      const value = this.#items.shift();
      if (this.#items.length === 0) this.onDrained?.();
      return { value, done: false };
    }
    if (this.#state !== "open") {
      if (this.#error === undefined) return { value: undefined, done: true };
      const error = this.#error;
      this.#error = undefined;
      throw error;
    }
    const waiting = Promise.withResolvers<IteratorResult<unknown>>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  async return(): Promise<IteratorResult<unknown>> {
    if (this.#state === "open") {
      this.#settle("cancelled");
      this.onCancel?.();
    }
    this.#items.length = 0;
    return { value: undefined, done: true };
  }

  // biome-ignore lint/suspicious/noThenProperty: an answer with one item is awaited
  then<Fulfilled = unknown, Rejected = never>(
    onFulfilled?: ((value: unknown) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.#only().then(onFulfilled, onRejected);
  }

  async #only(): Promise<unknown> {
    const { value } = await this.next();
    for (;;) {
      const { done } = await this.next();
      if (done === true) return value;
    }
  }

  #settle(state: "ended" | "cancelled"): void {
    if (this.#state !== "open") return;
    this.#state = state;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [index, each] of waiting.entries()) {
      if (index === 0 && this.#error !== undefined) {
        each.reject(this.#error);
        this.#error = undefined;
      } else each.resolve({ value: undefined, done: true });
    }
  }
}
