/** Random access to a medium's bytes, of which only headers are read. */
export interface MediaBytes {
  /** In bytes. */
  readonly size: number;
  /** At most `length` bytes; fewer at the end. */
  read(from: number, length: number): Uint8Array;
}

/** Most reads for one medium. */
export const MAX_READS = 256;

/** Most bytes that are read for one medium. */
export const MAX_BYTES = 1_048_576;

/** Bytes that one read asks for, unless more are needed. */
const PAGE = 4_096;

/** The data ends where a header should be, or its headers are longer than what is read of one medium. */
export class HeadersEnd extends Error {
  override name = "HeadersEnd";
}

/**
 * Numbers and text at any offset, within a bounded number of reads. An offset may be any number that a file claims.
 * All methods throw HeadersEnd where the bytes are not to be had.
 */
export class HeaderBytes {
  readonly size: number;
  readonly #source: MediaBytes;
  /** The first page, which formats return to, and the one read last. */
  #first: Page | undefined;
  #last: Page = NO_PAGE;
  #reads = MAX_READS;
  #bytes = MAX_BYTES;

  constructor(source: MediaBytes) {
    this.size = source.size;
    this.#source = source;
  }

  /** Whether so many bytes lie there, going by the size alone. */
  has(from: number, length: number): boolean {
    return from >= 0 && from + length <= this.size;
  }

  u8(at: number): number {
    return this.#view(at, 1).getUint8(0);
  }

  u16(at: number, isLittleEndian = false): number {
    return this.#view(at, 2).getUint16(0, isLittleEndian);
  }

  u24(at: number, isLittleEndian = false): number {
    const [one, two, three] = [this.u8(at), this.u8(at + 1), this.u8(at + 2)];
    return isLittleEndian ? (three << 16) | (two << 8) | one : (one << 16) | (two << 8) | three;
  }

  u32(at: number, isLittleEndian = false): number {
    return this.#view(at, 4).getUint32(0, isLittleEndian);
  }

  i32(at: number, isLittleEndian = false): number {
    return this.#view(at, 4).getInt32(0, isLittleEndian);
  }

  /** Rounded above 2^53, which no offset reaches. */
  u64(at: number, isLittleEndian = false): number {
    return Number(this.#view(at, 8).getBigUint64(0, isLittleEndian));
  }

  f32(at: number): number {
    return this.#view(at, 4).getFloat32(0);
  }

  f64(at: number): number {
    return this.#view(at, 8).getFloat64(0);
  }

  /** The bytes as Latin-1: four-character codes and other ASCII. */
  text(at: number, length: number): string {
    return String.fromCharCode(...this.slice(at, length));
  }

  slice(at: number, length: number): Uint8Array {
    const { buffer, byteOffset } = this.#view(at, length);
    return new Uint8Array(buffer, byteOffset, length);
  }

  /** At most `length` bytes; fewer at the end. */
  upTo(at: number, length: number): Uint8Array {
    return this.slice(at, Math.max(0, Math.min(length, this.size - at)));
  }

  #view(at: number, length: number): DataView {
    if (!Number.isSafeInteger(at) || !this.has(at, length)) throw new HeadersEnd();
    const page = this.#page(at, length);
    return new DataView(page.bytes.buffer, page.bytes.byteOffset + at - page.from, length);
  }

  #page(at: number, length: number): Page {
    if (holds(this.#last, at, length)) return this.#last;
    if (this.#first !== undefined && holds(this.#first, at, length)) return this.#first;
    const wanted = Math.min(Math.max(length, PAGE), this.size - at);
    this.#reads -= 1;
    this.#bytes -= wanted;
    if (this.#reads < 0 || this.#bytes < 0) throw new HeadersEnd();
    const page = { from: at, bytes: this.#source.read(at, wanted) };
    if (!holds(page, at, length)) throw new HeadersEnd();
    this.#first ??= page;
    this.#last = page;
    return page;
  }
}

interface Page {
  readonly from: number;
  readonly bytes: Uint8Array;
}

const NO_PAGE: Page = { from: 0, bytes: new Uint8Array() };

function holds({ from, bytes }: Page, at: number, length: number): boolean {
  return at >= from && at + length <= from + bytes.length;
}
