/** Texts that arrive while others are read. */
export class TextQueue {
  #texts: string[] = [];
  #hasEnded = false;
  #wake: (() => void) | undefined;

  push(text: string): void {
    this.#texts.push(text);
    this.#wake?.();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake?.();
  }

  /** Yields what has arrived, together if it is several texts, until the end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    for (;;) {
      const texts = this.#texts.splice(0);
      if (texts.length > 0) yield texts.join("");
      else if (this.#hasEnded) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}
