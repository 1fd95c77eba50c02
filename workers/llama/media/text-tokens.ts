import type { TokenPiece } from "#runtime";

/**
 * Finds the tokens of generated text, piece by piece: the binding tells only a token's text. A piece is one token's,
 * unless the characters of several were incomplete; then the longest tokens that make it up stand for them.
 */
export class TextTokens {
  /** By their bytes, as characters. */
  readonly #ids = new Map<string, number>();
  /** Control tokens, which are meant only if no other token has the text. */
  readonly #controls = new Map<string, number>();
  readonly #longest: number;

  constructor(vocabulary: readonly TokenPiece[]) {
    let longest = 1;
    for (const [id, { bytes, control }] of vocabulary.entries()) {
      const ids = control ? this.#controls : this.#ids;
      const key = Buffer.from(bytes).toString("latin1");
      if (key !== "" && !ids.has(key)) ids.set(key, id);
      longest = Math.max(longest, key.length);
    }
    this.#longest = longest;
  }

  of(piece: string): number[] {
    const text = Buffer.from(piece).toString("latin1");
    const whole = this.#ids.get(text) ?? this.#controls.get(text);
    if (whole !== undefined) return [whole];
    const found: number[] = [];
    for (let at = 0; at < text.length; ) {
      let length = Math.min(this.#longest, text.length - at);
      while (length > 1 && !this.#ids.has(text.slice(at, at + length))) length--;
      const id = this.#ids.get(text.slice(at, at + length));
      if (id !== undefined) found.push(id);
      at += length;
    }
    return found;
  }
}
