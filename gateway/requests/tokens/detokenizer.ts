import type { Vocabulary } from "../../prompts/tokenizers/vocabulary.ts";

/**
 * Turns token ids into text as they arrive. A character whose bytes are spread over several tokens is held back
 * until it is complete, so that no piece ends inside a character. Invalid bytes become U+FFFD.
 */
export class Detokenizer {
  readonly #vocabulary: Vocabulary;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #shownControls: ReadonlySet<string>;
  #held: Uint8Array | undefined;

  /** @param shownControls texts of control tokens that are not left out */
  constructor(vocabulary: Vocabulary, shownControls: ReadonlySet<string> = NONE) {
    this.#vocabulary = vocabulary;
    this.#shownControls = shownControls;
  }

  /** The text that the token completes; empty for control tokens and parts of characters. */
  push(id: number): string {
    if (this.#vocabulary.isControl(id)) return this.#control(this.#vocabulary.text(id));
    if (this.#held === undefined) {
      const text = this.#vocabulary.text(id);
      if (text !== undefined) return text;
    }
    return this.#pushBytes(this.#vocabulary.bytes(id));
  }

  /** The rest when a text ends, such as a prompt's: U+FFFD for an incomplete character. */
  flush(): string {
    if (this.#held === undefined) return "";
    const text = this.#decoder.decode(this.#held);
    this.#held = undefined;
    return text;
  }

  #control(text: string | undefined): string {
    return text !== undefined && this.#shownControls.has(text) ? text : "";
  }

  #pushBytes(bytes: Uint8Array): string {
    const all = this.#held === undefined ? bytes : concatenate(this.#held, bytes);
    const tail = incompleteTailLength(all);
    this.#held = tail === 0 ? undefined : all.subarray(all.length - tail);
    return this.#decoder.decode(tail === 0 ? all : all.subarray(0, all.length - tail));
  }
}

const NONE: ReadonlySet<string> = new Set();

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** Length of an incomplete UTF-8 character at the end, in bytes (0 to 3). */
function incompleteTailLength(bytes: Uint8Array): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const byte = bytes[bytes.length - length]!;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue;
    const needed = byte >= 0xf0 && byte <= 0xf4 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    return byte > 0xf4 || needed <= length ? 0 : length;
  }
  return 0;
}
