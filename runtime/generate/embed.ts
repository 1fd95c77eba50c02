import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { EmbedRequestSchema, EmbedResponseSchema } from "#proto";
import { PlaneError } from "../request-plane/types.ts";
import { bytesToTokens, tokensToBytes } from "./tokens.ts";

/** One call of a worker's `embed` endpoint as bytes: the protobuf message `stator.v1.EmbedRequest`. */
export function encodeEmbedRequest(inputs: readonly Uint32Array[]): Uint8Array {
  return toBinary(EmbedRequestSchema, create(EmbedRequestSchema, { inputs: inputs.map(tokensToBytes) }));
}

/**
 * Decodes the output of `encodeEmbedRequest`.
 *
 * @throws PlaneError `invalid_request` if the bytes are not a valid request
 */
export function decodeEmbedRequest(payload: Uint8Array): Uint32Array[] {
  return decoded(() => fromBinary(EmbedRequestSchema, payload)).inputs.map(bytesToTokens);
}

/** The answer as bytes: the protobuf message `stator.v1.EmbedResponse`, one vector per input. */
export function encodeEmbeddings(vectors: readonly Float32Array[]): Uint8Array {
  const bytes = vectors.map(
    ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  );
  return toBinary(EmbedResponseSchema, create(EmbedResponseSchema, { vectors: bytes }));
}

/**
 * Decodes the output of `encodeEmbeddings`.
 *
 * @throws PlaneError `invalid_request` if the bytes are not vectors
 */
export function decodeEmbeddings(message: Uint8Array): Float32Array[] {
  return decoded(() => fromBinary(EmbedResponseSchema, message)).vectors.map((bytes) => {
    if (bytes.length % 4 !== 0)
      throw new PlaneError("invalid_request", "The embed answer has an entry that is not a vector.");
    return new Float32Array(bytes.slice().buffer);
  });
}

function decoded<Message>(decode: () => Message): Message {
  try {
    return decode();
  } catch (cause) {
    throw new PlaneError("invalid_request", "The embed message is not valid protobuf.", { cause });
  }
}
