import { PlaneError } from "../request-plane/types.ts";

/** One token as a tokenizer spells it. */
export interface TokenPiece {
  /** The bytes that the token adds to the answer: often part of a UTF-8 character, at most 65,535 bytes. */
  bytes: Uint8Array;
  /** A control or special token, which never appears in an answer's text. */
  control?: boolean;
  /** An id that the model's tokenizer does not use. */
  unused?: boolean;
}

/**
 * Encodes all pieces of a tokenizer, which a gateway fetches once per tokenizer: u32 count, then for each token u8 flags
 * (1 control, 2 unused), u16 length and the bytes; integers are little-endian.
 *
 * @throws RangeError if a piece is longer than 65,535 bytes
 */
export function encodeVocabulary(pieces: readonly TokenPiece[]): Uint8Array {
  let size = 4;
  for (const { bytes } of pieces) size += 3 + bytes.length;
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  view.setUint32(0, pieces.length, true);
  let at = 4;
  for (const { bytes, control, unused } of pieces) {
    if (bytes.length > 0xffff) throw new RangeError(`A token piece of ${bytes.length} bytes is too long.`);
    out[at] = (control ? controlFlag : 0) | (unused ? unusedFlag : 0);
    view.setUint16(at + 1, bytes.length, true);
    out.set(bytes, at + 3);
    at += 3 + bytes.length;
  }
  return out;
}

/** A decoded vocabulary that looks pieces up in place, without an object per token. */
export class EncodedVocabulary {
  /** Number of token ids: 0 to `size - 1`. */
  readonly size: number;
  readonly #bytes: Uint8Array;
  /** Offset of each token's flags; one more entry marks the end. */
  readonly #offsets: Uint32Array;

  /**
   * Decodes the output of `encodeVocabulary`, from a copy.
   *
   * @throws PlaneError `invalid_request` if the bytes are not a vocabulary
   */
  constructor(encoded: Uint8Array) {
    const bytes = encoded.slice();
    const view = new DataView(bytes.buffer);
    if (bytes.length < 4) throw malformed("it is shorter than its head");
    this.size = view.getUint32(0, true);
    if (this.size * 3 > bytes.length)
      throw malformed(`${this.size} tokens do not fit into ${bytes.length} bytes`);
    this.#bytes = bytes;
    this.#offsets = new Uint32Array(this.size + 1);
    let at = 4;
    for (let id = 0; id < this.size; id++) {
      this.#offsets[id] = at;
      if (at + 3 > bytes.length) throw malformed(`it ends before token ${id}`);
      at += 3 + view.getUint16(at + 1, true);
    }
    if (at !== bytes.length) throw malformed(`it has ${bytes.length} bytes instead of ${at}`);
    this.#offsets[this.size] = at;
  }

  /** The bytes of token `id`, as a view; empty for an id outside the vocabulary. */
  piece(id: number): Uint8Array {
    const start = this.#offsets[id];
    const end = this.#offsets[id + 1];
    return start === undefined || end === undefined ? empty : this.#bytes.subarray(start + 3, end);
  }

  isControl(id: number): boolean {
    return (this.#flags(id) & controlFlag) !== 0;
  }

  isUnused(id: number): boolean {
    return (this.#flags(id) & unusedFlag) !== 0;
  }

  #flags(id: number): number {
    return id >= 0 && id < this.size ? (this.#bytes[this.#offsets[id] as number] as number) : 0;
  }
}

const controlFlag = 1;
const unusedFlag = 2;
const empty = new Uint8Array(0);

function malformed(what: string): PlaneError {
  return new PlaneError("invalid_request", `The vocabulary is malformed: ${what}.`);
}
