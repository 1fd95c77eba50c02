/**
 * The messages of a `kv_events` call. The request says where to begin; the answer is an endless stream of messages
 * `u8 kind, u64 sequence (little-endian), payload`:
 *
 * - `hello`, first: payload is the publisher's epoch (8 bytes), sequence the next batch's number
 * - `batch`: a live batch in vLLM's wire format
 * - `snapshotBegin`: forget everything; the cache's content follows in `snapshotBatch` messages until `snapshotEnd`,
 *   and then live batches from `sequence` on
 */
import { decode, encode } from "@msgpack/msgpack";
import { z } from "zod";
import { isId } from "../ids.ts";
import { PlaneError } from "../request-plane/types.ts";

export const kvEventsEndpoint = "kv_events";

export const messageKind = {
  hello: 0,
  batch: 1,
  snapshotBegin: 2,
  snapshotBatch: 3,
  snapshotEnd: 4,
} as const;

const requestSchema = z.object({
  /** The next expected sequence number; −1 for a new subscriber. */
  from: z.number().int().min(-1),
  /** The epoch of `from`. */
  epoch: z.string().optional(),
});

export type KvEventsRequest = z.infer<typeof requestSchema>;

export function encodeRequest(request: KvEventsRequest): Uint8Array {
  return encode(request, { ignoreUndefined: true });
}

/** @throws PlaneError `invalid_request` if the bytes are not a valid request */
export function decodeRequest(payload: Uint8Array): KvEventsRequest {
  try {
    return requestSchema.parse(decode(payload));
  } catch (cause) {
    throw new PlaneError("invalid_request", "The kv_events request is malformed.", { cause });
  }
}

export interface KvMessage {
  kind: number;
  sequence: number;
  /** A view of the message. */
  payload: Uint8Array;
}

export function encodeMessage(
  kind: number,
  sequence: number,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const message = new Uint8Array(headBytes + payload.length);
  message[0] = kind;
  new DataView(message.buffer).setBigUint64(1, BigInt(sequence), true);
  message.set(payload, headBytes);
  return message;
}

/** Returns undefined if the bytes are not a valid message. */
export function decodeMessage(message: Uint8Array): KvMessage | undefined {
  if (message.length < headBytes) return undefined;
  const view = new DataView(message.buffer, message.byteOffset);
  return {
    kind: message[0] as number,
    sequence: Number(view.getBigUint64(1, true)),
    payload: message.subarray(headBytes),
  };
}

/** Converts an epoch of 16 hex digits to 8 bytes. */
export function encodeEpoch(epoch: string): Uint8Array {
  return Uint8Array.from(Buffer.from(epoch, "hex"));
}

export function decodeEpoch(payload: Uint8Array): string | undefined {
  const epoch = Buffer.from(payload).toString("hex");
  return isId(epoch) ? epoch : undefined;
}

const headBytes = 9;
