/** Passes on text, but holds back blanks at its end until it is known what follows them. */
export class HeldSpace {
  readonly #pass: (text: string) => void;
  #held = "";
  #dropsNext: boolean;

  /** @param dropsNext whether blanks at the beginning are dropped */
  constructor(pass: (text: string) => void, dropsNext = false) {
    this.#pass = pass;
    this.#dropsNext = dropsNext;
  }

  /** Whether nothing is held, and nothing will be dropped. */
  get isIdle(): boolean {
    return this.#held === "" && !this.#dropsNext;
  }

  push(text: string): void {
    let all = text;
    if (this.#dropsNext) {
      all = text.trimStart();
      if (all === "") return;
      this.#dropsNext = false;
    }
    if (all.trimEnd() === "") {
      this.#held += all;
      return;
    }
    all = this.#held + all;
    const { length } = all.trimEnd();
    this.#held = all.slice(length);
    this.#pass(all.slice(0, length));
  }

  /** Drops the blanks that are held, and those that come next. */
  drop(): void {
    this.#held = "";
    this.#dropsNext = true;
  }

  /** The text is over: passes on the blanks at its end. */
  flush(): void {
    if (this.#held !== "") this.#pass(this.#held);
    this.#held = "";
  }
}
