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
 * Methods throw HeadersEnd where the bytes are not to be had.
 */
export class HeaderBytes {
  readonly size: number;
  readonly #source: MediaBytes;
  /** The first page, which formats return to, and the one read last. */
  #first: Page | undefined;
  #last = NO_PAGE;
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

  /** At most so many of the first bytes; fewer if there are fewer. Does not throw. */
  start(length: number): Uint8Array {
    const page = this.#first ?? this.#read(0, Math.min(this.size, PAGE));
    return page.bytes.subarray(0, length);
  }

  u8(at: number): number {
    const page = this.#page(at, 1);
    return page.view.getUint8(at - page.from);
  }

  u16(at: number, isLittleEndian = false): number {
    const page = this.#page(at, 2);
    return page.view.getUint16(at - page.from, isLittleEndian);
  }

  u24(at: number, isLittleEndian = false): number {
    const [one, two, three] = [this.u8(at), this.u8(at + 1), this.u8(at + 2)];
    return isLittleEndian ? (three << 16) | (two << 8) | one : (one << 16) | (two << 8) | three;
  }

  u32(at: number, isLittleEndian = false): number {
    const page = this.#page(at, 4);
    return page.view.getUint32(at - page.from, isLittleEndian);
  }

  i32(at: number, isLittleEndian = false): number {
    return this.u32(at, isLittleEndian) | 0;
  }

  /** Rounded above 2^53, which no offset reaches. */
  u64(at: number, isLittleEndian = false): number {
    const page = this.#page(at, 8);
    return Number(page.view.getBigUint64(at - page.from, isLittleEndian));
  }

  f32(at: number): number {
    const page = this.#page(at, 4);
    return page.view.getFloat32(at - page.from);
  }

  f64(at: number): number {
    const page = this.#page(at, 8);
    return page.view.getFloat64(at - page.from);
  }

  /** The bytes as Latin-1: four-character codes and other ASCII. */
  text(at: number, length: number): string {
    return String.fromCharCode(...this.slice(at, length));
  }

  slice(at: number, length: number): Uint8Array {
    const page = this.#page(at, length);
    return page.bytes.subarray(at - page.from, at - page.from + length);
  }

  /** At most `length` bytes; fewer at the end. */
  upTo(at: number, length: number): Uint8Array {
    return this.slice(at, Math.max(0, Math.min(length, this.size - at)));
  }

  /** The page that holds so many bytes from an offset on. */
  #page(at: number, length: number): Page {
    if (holds(this.#last, at, length)) return this.#last;
    if (this.#first !== undefined && holds(this.#first, at, length)) return this.#first;
    if (!Number.isSafeInteger(at) || !this.has(at, length)) throw new HeadersEnd();
    const page = this.#read(at, Math.min(Math.max(length, PAGE), this.size - at));
    if (!holds(page, at, length)) throw new HeadersEnd();
    return page;
  }

  /** Asks the source for a page, which may be shorter than its size says. */
  #read(at: number, length: number): Page {
    this.#reads -= 1;
    this.#bytes -= length;
    if (this.#reads < 0 || this.#bytes < 0) throw new HeadersEnd();
    this.#last = pageOf(at, this.#source.read(at, length));
    this.#first ??= this.#last;
    return this.#last;
  }
}

interface Page {
  readonly from: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

function pageOf(from: number, bytes: Uint8Array): Page {
  return { from, bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

const NO_PAGE = pageOf(0, new Uint8Array());

function holds({ from, bytes }: Page, at: number, length: number): boolean {
  return at >= from && at + length <= from + bytes.length;
}
