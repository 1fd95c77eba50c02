/** Approximate length of an English token in bytes. */
const USUAL_BYTES = 4;
/** The first texts are all counted; after that, one in `COUNT_EVERY`. */
const FIRST_TEXTS = 3;
const COUNT_EVERY = 64;
/** Weight of a new text in the moving average. */
const WEIGHT = 0.25;

/** Average length of the tokens in a model's answers, learnt from texts that a tokenizer has counted. */
export class TextTokens {
  bytesPerToken = USUAL_BYTES;
  #isLearnt = false;
  #texts = 0;

  /** Whether the next answer should be counted by a tokenizer. */
  isDue(): boolean {
    const seen = this.#texts++;
    return seen < FIRST_TEXTS || seen % COUNT_EVERY === 0;
  }

  /** Records the counted tokens of a text. */
  learn(bytes: number, tokens: number): void {
    if (tokens === 0 || bytes === 0) return;
    const found = bytes / tokens;
    this.bytesPerToken = this.#isLearnt ? this.bytesPerToken * (1 - WEIGHT) + found * WEIGHT : found;
    this.#isLearnt = true;
  }
}
