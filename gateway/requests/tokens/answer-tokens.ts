/** The ids of an answer's tokens, from which it can be continued. */
export class AnswerTokens {
  #ids = new Uint32Array(64);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(token: number): void {
    if (this.#length === this.#ids.length) {
      const ids = new Uint32Array(2 * this.#length);
      ids.set(this.#ids);
      this.#ids = ids;
    }
    this.#ids[this.#length++] = token;
  }

  /** The prompt with the answer behind it. */
  after(prompt: Uint32Array): Uint32Array {
    const all = new Uint32Array(prompt.length + this.#length);
    all.set(prompt);
    all.set(this.#ids.subarray(0, this.#length), prompt.length);
    return all;
  }
}
