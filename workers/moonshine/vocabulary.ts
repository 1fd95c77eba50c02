/** The token that begins a transcription, and the one that ends it. */
export const BEGIN_TOKEN = 1;
export const END_TOKEN = 2;

/** Moonshine's vocabulary: SentencePiece's pieces, with `▁` in place of spaces. */
export class Vocabulary {
  readonly #pieces: readonly Uint8Array[];

  /**
   * @param file `tokenizer.bin` as Moonshine's packages have it: each piece's UTF-8 bytes after their number, which takes one
   *   byte below 128, else two: what is above 128, and then the multiples of 128
   */
  constructor(file: Uint8Array) {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < file.length; ) {
      let length = file[at++]!;
      if (length >= 128) length = (file[at++] ?? 0) * 128 + length - 128;
      if (at + length > file.length) throw new Error("tokenizer.bin is cut off.");
      pieces.push(pieceBytes(file.subarray(at, at + length)));
      at += length;
    }
    if (pieces.length <= END_TOKEN) throw new Error("tokenizer.bin has no vocabulary.");
    this.#pieces = pieces;
  }

  get size(): number {
    return this.#pieces.length;
  }

  /** Reads one window's text, token by token. */
  reader(): TokenReader {
    const decoder = new TextDecoder();
    return {
      read: (token) => decoder.decode(this.#pieces[token], { stream: true }),
      end: () => decoder.decode(),
    };
  }
}

export interface TokenReader {
  /** The text that a token completes: of a character in several tokens, nothing until its last one. */
  read(token: number): string;
  end(): string;
}

const CONTROL = /^<(unk|\/?s|<ST_\d+>)>$/;
const BYTE = /^<0x([0-9A-F]{2})>$/;

function pieceBytes(piece: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(piece);
  if (CONTROL.test(text)) return new Uint8Array(0);
  const [, hex] = BYTE.exec(text) ?? [];
  return hex === undefined
    ? new TextEncoder().encode(text.replaceAll("▁", " "))
    : Uint8Array.of(Number.parseInt(hex, 16));
}
