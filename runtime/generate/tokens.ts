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

/** The request as bytes: one byte for `special`, then the text in UTF-8. */
export function encodeTokenizeRequest(request: TokenizeRequest): Uint8Array {
  const text = encoder.encode(request.text);
  const payload = new Uint8Array(1 + text.length);
  payload[0] = request.special ? 1 : 0;
  payload.set(text, 1);
  return payload;
}

/**
 * Decodes the output of `encodeTokenizeRequest`.
 *
 * @throws PlaneError `invalid_request` if the bytes are not a valid request
 */
export function decodeTokenizeRequest(payload: Uint8Array): TokenizeRequest {
  const special = payload[0];
  if (special !== 0 && special !== 1) {
    throw new PlaneError("invalid_request", "The tokenize request does not begin with 0 or 1.");
  }
  try {
    return { text: decoder.decode(payload.subarray(1)), special: special === 1 };
  } catch (cause) {
    throw new PlaneError("invalid_request", "The text to tokenize is not valid UTF-8.", { cause });
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
