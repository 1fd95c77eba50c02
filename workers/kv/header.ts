import { KvUnusableError } from "./types.ts";

/**
 * The head of exported memory, by which a reader can tell whether what it has read is valid. It works like a seqlock:
 * before the memory is freed or used for something else, the exporter overwrites the head; after reading the data, the
 * reader reads the head once more. If that is unchanged, the data was intact until after its last byte had been read.
 *
 * Layout: u32 magic, 16 bytes random id, f64 size of the data, little-endian; the data begins at byte 64.
 */
export const headerBytes = 64;
/** Length of an export's id. */
export const idBytes = 16;

const MAGIC = 0x31564b53;
const ID_AT = 4;
const SIZE_AT = 24;

/** Writes the head of `bytes` of data. The data must be complete. */
export function writeHeader(memory: Uint8Array, id: Uint8Array, bytes: number): void {
  const view = viewOf(memory);
  memory.set(id, ID_AT);
  view.setFloat64(SIZE_AT, bytes, true);
  view.setUint32(0, MAGIC, true);
}

/** Overwrites the head: from now on, all that read it again discard what they have read. */
export function invalidateHeader(memory: Uint8Array): void {
  memory.fill(0, 0, headerBytes);
}

/**
 * Checks a head that was read from another process.
 * @throws KvUnusableError `expired` if the export is gone, `failed` if its size is another one
 */
export function checkHeader(memory: Uint8Array, id: Uint8Array, bytes: number): void {
  const view = viewOf(memory);
  const isSame =
    view.getUint32(0, true) === MAGIC &&
    id.length === idBytes &&
    id.every((byte, index) => memory[ID_AT + index] === byte);
  if (!isSame) throw new KvUnusableError("expired", "The prefill worker has freed the KV.");
  const actual = view.getFloat64(SIZE_AT, true);
  if (actual !== bytes)
    throw new KvUnusableError("failed", `The KV has ${actual} bytes instead of the announced ${bytes}.`);
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  new DataView(buffer, byteOffset, byteLength);
