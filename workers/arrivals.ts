/** Items that arrive while others are read. */
export class Arrivals<Item> {
  #items: Item[] = [];
  #hasEnded = false;
  #wake: (() => void) | undefined;

  push(item: Item): void {
    this.#items.push(item);
    this.#wake?.();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake?.();
  }

  /** Yields what has arrived, together if it is several items, until the end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Item[]> {
    for (;;) {
      if (this.#items.length > 0) yield this.#items.splice(0);
      else if (this.#hasEnded) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}
