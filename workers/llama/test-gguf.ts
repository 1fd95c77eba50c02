/** For tests: parts of GGUF files; see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. */

/** Types of values. */
export const UINT32 = 4;
const INT32 = 5;
const FLOAT32 = 6;
const BOOL = 7;
const STRING = 8;
const ARRAY = 9;

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

export const floatEntry = (key: string, value: number) =>
  Buffer.concat([text(key), uint32(FLOAT32), float32(value)]);

export const uint32Entry = (key: string, value: number) =>
  Buffer.concat([text(key), uint32(UINT32), uint32(value)]);

export const boolEntry = (key: string, value: boolean) =>
  Buffer.concat([text(key), uint32(BOOL), Buffer.of(value ? 1 : 0)]);

const arrayEntry = (key: string, type: number, values: readonly Buffer[]) =>
  Buffer.concat([text(key), uint32(ARRAY), uint32(type), uint64(values.length), ...values]);

export const floatsEntry = (key: string, values: readonly number[]) =>
  arrayEntry(key, FLOAT32, values.map(float32));

/** Positive numbers. */
export const int32sEntry = (key: string, values: readonly number[]) =>
  arrayEntry(key, INT32, values.map(uint32));

export const textsEntry = (key: string, values: readonly string[]) =>
  arrayEntry(key, STRING, values.map(text));

function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

/** Floats. */
export interface Tensor {
  readonly name: string;
  /** How many numbers it has in each direction; those of the first one are side by side. */
  readonly dimensions: readonly number[];
  readonly values: Float32Array;
  /** Of how many bits they are in the file: 32, the default, or 16. */
  readonly bits?: 16 | 32;
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
const F16 = 1;

/** A file with these metadata and matrices. */
export const ggufFile = (entries: readonly Buffer[], matrices: readonly Matrix[]): Buffer =>
  ggufTensors(
    entries,
    matrices.map(({ name, columns, rows, values }) => ({ name, dimensions: [columns, rows], values })),
  );

/** A file with these metadata and tensors. */
export function ggufTensors(entries: readonly Buffer[], tensors: readonly Tensor[]): Buffer {
  let offset = 0;
  const infos: Buffer[] = [];
  const data: Buffer[] = [];
  for (const { name, dimensions, values, bits = 32 } of tensors) {
    const stored = bits === 16 ? new Float16Array(values) : values;
    const bytes = padded(Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength));
    infos.push(
      Buffer.concat([
        ...[text(name), uint32(dimensions.length), ...dimensions.map(uint64)],
        ...[uint32(bits === 16 ? F16 : F32), uint64(offset)],
      ]),
    );
    data.push(bytes);
    offset += bytes.length;
  }
  const head = [Buffer.from("GGUF"), uint32(3), uint64(tensors.length), uint64(entries.length)];
  return Buffer.concat([padded(Buffer.concat([...head, ...entries, ...infos])), ...data]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT)]);
}
