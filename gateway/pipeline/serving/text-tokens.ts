/** About what a token has in English, in bytes. */
const USUAL_BYTES = 4;
/** Texts that are counted first, and then one in so many. */
const FIRST_TEXTS = 3;
const LOOK_AGAIN_AFTER = 64;
/** What a text counts for beside what was known before. */
const WEIGHT = 0.25;

/** How long the tokens of a model's answers are: learnt from texts that a tokenizer has counted. */
export class TextTokens {
  bytesPerToken = USUAL_BYTES;
  #isLearnt = false;
  #texts = 0;

  /** Whether another answer is worth the question to a tokenizer. */
  isDue(): boolean {
    const seen = this.#texts++;
    return seen < FIRST_TEXTS || seen % LOOK_AGAIN_AFTER === 0;
  }

  /** A text of so many bytes has so many tokens. */
  learn(bytes: number, tokens: number): void {
    if (tokens === 0 || bytes === 0) return;
    const found = bytes / tokens;
    this.bytesPerToken = this.#isLearnt ? this.bytesPerToken * (1 - WEIGHT) + found * WEIGHT : found;
    this.#isLearnt = true;
  }
}
