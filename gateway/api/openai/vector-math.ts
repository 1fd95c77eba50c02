import { invalidRequest } from "../../kernel/errors.ts";

/**
 * The vector's first dimensions, scaled to unit length. Models trained for it (Matryoshka) put most of a text's meaning
 * there.
 * @throws ApiError 400 if the vector has fewer
 */
export function shortened(vector: Float32Array, dimensions: number): Float32Array {
  if (dimensions > vector.length) {
    throw invalidRequest(
      `Invalid value for 'dimensions': the model's vectors have ${vector.length} dimensions, fewer than ${dimensions}. Ask for at most ${vector.length}, or leave it out.`,
      "dimensions",
    );
  }
  const first = vector.subarray(0, dimensions);
  const length = Math.sqrt(dot(first, first));
  return length === 0 ? first : first.map((value) => value / length);
}

/** The cosine of the angle between two vectors, from -1 to 1; 0 if one of them has no direction. */
export function cosineSimilarity(a: Float32Array, b: Float32Array): number {
  const lengths = Math.sqrt(dot(a, a) * dot(b, b));
  return lengths === 0 ? 0 : Math.max(-1, Math.min(1, dot(a, b) / lengths));
}

/** Little-endian 32-bit floats in base64, the default of OpenAI's SDKs. */
export function toBase64(vector: Float32Array): string {
  let text = "";
  for (const byte of new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength))
    text += String.fromCharCode(byte);
  return btoa(text);
}

/** In double precision. */
function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += a[index]! * b[index]!;
  return sum;
}
