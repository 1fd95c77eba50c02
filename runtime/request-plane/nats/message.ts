import { putUint32, uint32 } from "../frame.ts";

/**
 * One message of a pipe over NATS:
 *
 *     u8 type, u32 number, u32 number expected next from the peer, bytes        (integers are little-endian)
 *
 * Bytes and the end are numbered, so that each arrives once and in order, although NATS loses what is published during an
 * outage. The others have the number that comes next.
 */
export const messageType = {
  /** Bytes of the pipe. */
  data: 1,
  /** The end of the pipe, after all bytes. */
  end: 2,
  /** A sign of life. */
  beat: 3,
  /** A number is missing: everything from the expected number on is to be sent again. */
  gap: 4,
  /** The pipe is gone; nothing more is read. */
  gone: 5,
} as const;

export const messageHeadBytes = 9;

export interface Message {
  readonly type: number;
  readonly number: number;
  readonly expected: number;
  readonly bytes: Uint8Array;
}

/** Writes type and numbers to the head of a message. */
export function putHead(message: Uint8Array, type: number, number: number, expected: number): void {
  message[0] = type;
  putUint32(message, 1, number);
  putUint32(message, 5, expected);
}

/** @returns undefined if the bytes are not such a message */
export function readMessage(data: Uint8Array): Message | undefined {
  if (data.length < messageHeadBytes) return undefined;
  return {
    type: data[0]!,
    number: uint32(data, 1),
    expected: uint32(data, 5),
    bytes: data.subarray(messageHeadBytes),
  };
}

/** How far `number` is ahead of `other`, where numbers wrap around; negative if it is behind. */
export const ahead = (number: number, other: number): number => (number - other) | 0;

export const next = (number: number): number => (number + 1) >>> 0;
