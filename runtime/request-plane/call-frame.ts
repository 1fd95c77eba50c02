import { putUint32, uint32 } from "./frame.ts";
import { PlaneError } from "./types.ts";

/** The head of a `call` frame. */
export interface CallHead {
  endpoint: string;
  windowBytes: number;
  /** 0: none. */
  deadlineMs: number;
}

/**
 * Encodes the part of a `call` frame's payload before the request.
 *
 * @throws RangeError if the endpoint's name is longer than 255 bytes
 */
export function encodeCallHead({ endpoint, windowBytes, deadlineMs }: CallHead): Uint8Array {
  const name = new TextEncoder().encode(endpoint);
  if (name.length > 255)
    throw new RangeError(`The endpoint's name is ${name.length} bytes long; at most 255 are allowed.`);
  const head = new Uint8Array(9 + name.length);
  putUint32(head, 0, windowBytes);
  putUint32(head, 4, deadlineMs);
  head[8] = name.length;
  head.set(name, 9);
  return head;
}

/**
 * Decodes a `call` frame's payload; `request` is a view of it.
 *
 * @throws PlaneError `invalid_request` if it is too short
 */
export function decodeCall(payload: Uint8Array): CallHead & { request: Uint8Array } {
  const end = 9 + (payload[8] ?? 0);
  if (payload.length < 9 || payload.length < end) {
    throw new PlaneError("invalid_request", "A call frame ends before its endpoint's name.");
  }
  return {
    windowBytes: uint32(payload, 0),
    deadlineMs: uint32(payload, 4),
    endpoint: new TextDecoder().decode(payload.subarray(9, end)),
    request: payload.subarray(end),
  };
}
