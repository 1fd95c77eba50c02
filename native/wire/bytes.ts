import { TransferError } from "../errors.ts";

/** Writes little-endian numbers and length-prefixed bytes. */
export class ByteWriter {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;

  u8(value: number): this {
    this.#length = this.#room(1).writeUInt8(value, this.#length);
    return this;
  }

  u32(value: number): this {
    this.#length = this.#room(4).writeUInt32LE(value, this.#length);
    return this;
  }

  u64(value: bigint): this {
    this.#length = this.#room(8).writeBigUInt64LE(value, this.#length);
    return this;
  }

  /** A non-negative integer up to 2^53. */
  size(value: number): this {
    const bytes = this.#room(8);
    bytes.writeUInt32LE(value % 2 ** 32, this.#length);
    this.#length = bytes.writeUInt32LE(Math.floor(value / 2 ** 32), this.#length + 4);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.u32(value.length);
    this.#room(value.length).set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value));
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #room(more: number): Buffer {
    if (this.#length + more > this.#bytes.length) {
      const grown = Buffer.allocUnsafe((this.#length + more) * 2);
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    return this.#bytes;
  }
}

/** Reads what ByteWriter wrote. Bytes come from peers: anything that does not fit is a TransferError `invalid`. */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #offset = 0;

  /** @param what names the bytes in errors, `The descriptor` for example */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8));
  }

  size(): number {
    const at = this.#take(8);
    const value = this.#bytes.readUInt32LE(at) + this.#bytes.readUInt32LE(at + 4) * 2 ** 32;
    if (!Number.isSafeInteger(value)) this.#fail();
    return value;
  }

  bytes(): Buffer {
    const length = this.u32();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  text(): string {
    return this.bytes().toString();
  }

  /** A count of items of at least `itemBytes` each, so that a wrong count cannot cause a large allocation. */
  count(itemBytes: number): number {
    const count = this.u32();
    if (count * itemBytes > this.#bytes.length - this.#offset) this.#fail();
    return count;
  }

  /** @throws TransferError unless everything has been read */
  end(): void {
    if (this.#offset !== this.#bytes.length) this.#fail();
  }

  #take(length: number): number {
    const at = this.#offset;
    if (length > this.#bytes.length - at) this.#fail();
    this.#offset = at + length;
    return at;
  }

  #fail(): never {
    throw new TransferError("invalid", `${this.#what} is malformed.`);
  }
}
