/** The token ids of an answer so far, from which another worker can continue it. */
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

  /** The prompt followed by the answer. */
  after(prompt: Uint32Array): Uint32Array {
    const all = new Uint32Array(prompt.length + this.#length);
    all.set(prompt);
    all.set(this.#ids.subarray(0, this.#length), prompt.length);
    return all;
  }
}
