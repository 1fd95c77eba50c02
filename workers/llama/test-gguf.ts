/** For tests: parts of GGUF files; see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. */

/** Types of values. */
export const UINT32 = 4;
const FLOAT32 = 6;
const STRING = 8;

export function text(value: string): Buffer {
  return Buffer.concat([uint64(Buffer.byteLength(value)), Buffer.from(value)]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

export const textEntry = (key: string, value: string) =>
  Buffer.concat([text(key), uint32(STRING), text(value)]);

export function floatEntry(key: string, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([text(key), uint32(FLOAT32), bytes]);
}

/** A matrix of 32-bit floats: `rows` vectors of `columns` numbers each. */
export interface Matrix {
  readonly name: string;
  readonly columns: number;
  readonly rows: number;
  readonly values: Float32Array;
}

const ALIGNMENT = 32;
const F32 = 0;

/** A file with these metadata and matrices. */
export function ggufFile(entries: readonly Buffer[], matrices: readonly Matrix[]): Buffer {
  let offset = 0;
  const infos: Buffer[] = [];
  const data: Buffer[] = [];
  for (const { name, columns, rows, values } of matrices) {
    const bytes = padded(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
    infos.push(
      Buffer.concat([text(name), uint32(2), uint64(columns), uint64(rows), uint32(F32), uint64(offset)]),
    );
    data.push(bytes);
    offset += bytes.length;
  }
  const head = [Buffer.from("GGUF"), uint32(3), uint64(matrices.length), uint64(entries.length)];
  return Buffer.concat([padded(Buffer.concat([...head, ...entries, ...infos])), ...data]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT)]);
}
