import { decode, encode } from "@msgpack/msgpack";
import { PlaneError } from "../request-plane/types.ts";
import { bytesToTokens, tokensToBytes } from "./tokens.ts";

/** One call of a worker's `embed` endpoint as bytes: msgpack, each input's token ids as one byte string. */
export function encodeEmbedRequest(inputs: readonly Uint32Array[]): Uint8Array {
  return encode(inputs.map(tokensToBytes));
}

/**
 * Decodes the output of `encodeEmbedRequest`.
 *
 * @throws PlaneError `invalid_request` if the bytes are not a valid request
 */
export function decodeEmbedRequest(payload: Uint8Array): Uint32Array[] {
  const inputs = decodeArray(payload);
  return inputs.map((input) => {
    if (input instanceof Uint8Array) return bytesToTokens(input);
    throw new PlaneError("invalid_request", "An input of the embed request is not a byte string.");
  });
}

/** The answer as bytes: one vector per input, little-endian f32. */
export function encodeEmbeddings(vectors: readonly Float32Array[]): Uint8Array {
  return encode(vectors.map((vector) => new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength)));
}

/**
 * Decodes the output of `encodeEmbeddings`.
 *
 * @throws PlaneError `invalid_request` if the bytes are not vectors
 */
export function decodeEmbeddings(message: Uint8Array): Float32Array[] {
  return decodeArray(message).map((bytes) => {
    if (!(bytes instanceof Uint8Array) || bytes.length % 4 !== 0) {
      throw new PlaneError("invalid_request", "The embed answer has an entry that is not a vector.");
    }
    return new Float32Array(bytes.slice().buffer);
  });
}

function decodeArray(bytes: Uint8Array): unknown[] {
  let value: unknown;
  try {
    value = decode(bytes);
  } catch (cause) {
    throw new PlaneError("invalid_request", "The embed message is not valid msgpack.", { cause });
  }
  if (!Array.isArray(value)) throw new PlaneError("invalid_request", "The embed message is not a list.");
  return value;
}
