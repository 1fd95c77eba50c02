import type { TokenLikelihood } from "./token-candidates.ts";

/** A token of an answer, with its log probability if those are wanted. */
export interface AnsweredToken extends Partial<TokenLikelihood> {
  readonly id: number;
}

/** Tokens that arrive while others are read. */
export class TokenQueue {
  #tokens: AnsweredToken[] = [];
  #hasEnded = false;
  #wake: (() => void) | undefined;

  push(token: AnsweredToken): void {
    this.#tokens.push(token);
    this.#wake?.();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake?.();
  }

  /** Yields what has arrived, until the end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<AnsweredToken[]> {
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
