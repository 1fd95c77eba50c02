/** Tokens that arrive while others are read. */
export class TokenQueue {
  #tokens: number[] = [];
  #hasEnded = false;
  #wake: (() => void) | undefined;

  push(tokens: readonly number[]): void {
    this.#tokens.push(...tokens);
    this.#wake?.();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake?.();
  }

  /** Yields what has arrived, until the end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<number[]> {
    for (;;) {
      if (this.#tokens.length > 0) yield this.#tokens.splice(0);
      else if (this.#hasEnded) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}
