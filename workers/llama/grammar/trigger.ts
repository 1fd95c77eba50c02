/** Waits for one of some texts in an answer, which comes token by token. */
export class Trigger {
  readonly #texts: readonly Buffer[];
  readonly #longest: number;
  /** The last bytes of the answer, from which a text may go on. */
  #tail = Buffer.alloc(0);
  #isFound: boolean;

  /** @param texts if there are none, nothing is waited for */
  constructor(texts: readonly string[]) {
    this.#texts = texts.map((text) => Buffer.from(text));
    this.#longest = Math.max(0, ...this.#texts.map((text) => text.length));
    this.#isFound = texts.length === 0;
  }

  get isFound(): boolean {
    return this.#isFound;
  }

  push(bytes: Uint8Array): void {
    if (this.#isFound) return;
    const text = Buffer.concat([this.#tail, bytes]);
    this.#isFound = this.#texts.some((each) => text.includes(each));
    this.#tail = text.subarray(Math.max(0, text.length - this.#longest + 1));
  }
}
