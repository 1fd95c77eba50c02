import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { TokenizeRequestSchema } from "#proto";
import { PlaneError } from "../request-plane/types.ts";

/** Token ids as little-endian u32 bytes: a view of the same memory, so copy before changing `tokens`. */
export function tokensToBytes(tokens: Uint32Array): Uint8Array {
  return new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength);
}

/**
 * Token ids from little-endian u32 bytes, as a copy.
 *
 * @throws PlaneError `invalid_request` if the length is not a multiple of 4
 */
export function bytesToTokens(bytes: Uint8Array): Uint32Array {
  if (bytes.length % 4 !== 0) {
    throw new PlaneError(
      "invalid_request",
      `Token ids take 4 bytes each, but there are ${bytes.length} bytes.`,
    );
  }
  const tokens = new Uint32Array(bytes.length / 4);
  new Uint8Array(tokens.buffer).set(bytes);
  return tokens;
}

/** One call of a worker's `tokenize` endpoint; the answer is one message, `tokensToBytes`. */
export interface TokenizeRequest {
  text: string;
  /** Whether the text of special tokens (`<|im_start|>`) becomes those tokens. */
  special: boolean;
}

/** The request as bytes: the protobuf message `stator.v1.TokenizeRequest`. */
export function encodeTokenizeRequest(request: TokenizeRequest): Uint8Array {
  return toBinary(TokenizeRequestSchema, create(TokenizeRequestSchema, request));
}

/**
 * Decodes the output of `encodeTokenizeRequest`.
 *
 * @throws PlaneError `invalid_request` if the bytes are not a valid request
 */
export function decodeTokenizeRequest(payload: Uint8Array): TokenizeRequest {
  try {
    const { text, special } = fromBinary(TokenizeRequestSchema, payload);
    return { text, special };
  } catch (cause) {
    throw new PlaneError("invalid_request", "The tokenize request is not a valid protobuf message.", {
      cause,
    });
  }
}
