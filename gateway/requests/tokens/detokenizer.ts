import type { Vocabulary } from "../../prompts/tokenizers/vocabulary.ts";

/**
 * Turns token ids into text as they come. A character whose bytes are spread over several tokens is held back
 * until it is whole, so that no piece ever ends in half a character. Bytes that can never become a character
 * turn into U+FFFD.
 */
export class Detokenizer {
  readonly #vocabulary: Vocabulary;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #held: Uint8Array | undefined;

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
  }

  /** Text that the token completes; empty for control tokens and for part of a character. */
  push(id: number): string {
    if (this.#vocabulary.isControl(id)) return "";
    if (this.#held === undefined) {
      const text = this.#vocabulary.text(id);
      if (text !== undefined) return text;
    }
    return this.#pushBytes(this.#vocabulary.bytes(id));
  }

  /** What is still held when a text ends, such as a prompt's: U+FFFD for a character that never became whole. */
  flush(): string {
    if (this.#held === undefined) return "";
    const text = this.#decoder.decode(this.#held);
    this.#held = undefined;
    return text;
  }

  #pushBytes(bytes: Uint8Array): string {
    const all = this.#held === undefined ? bytes : concatenate(this.#held, bytes);
    const tail = incompleteTailLength(all);
    this.#held = tail === 0 ? undefined : all.subarray(all.length - tail);
    return this.#decoder.decode(tail === 0 ? all : all.subarray(0, all.length - tail));
  }
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** How many bytes at the end are the beginning of a UTF-8 character that needs more (0 to 3). */
function incompleteTailLength(bytes: Uint8Array): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const byte = bytes[bytes.length - length]!;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue;
    const needed = byte >= 0xf0 && byte <= 0xf4 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    return byte > 0xf4 || needed <= length ? 0 : length;
  }
  return 0;
}
