/** Bytes of a token in English, roughly. */
const USUAL_BYTES = 4;
/** The first texts are all counted, later ones one in so many. */
const FIRST_TEXTS = 3;
const LOOK_AGAIN_AFTER = 64;
/** Weight of a new text in the moving average. */
const WEIGHT = 0.25;

/** How long the tokens of a model's answers are, learnt from texts that a tokenizer has counted. */
export class TextTokens {
  bytesPerToken = USUAL_BYTES;
  #isLearnt = false;
  #texts = 0;

  /** Whether the next answer should be counted by a tokenizer. */
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
