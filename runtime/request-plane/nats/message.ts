import { putUint32, uint32 } from "../frame.ts";

/**
 * One message of a pipe over NATS:
 *
 *     u8 type, u32 number, u32 number expected next from the peer, bytes        (integers are little-endian)
 *
 * `data` and `end` messages are numbered, so that each is delivered once and in order although NATS loses messages
 * during an outage. The other types carry the next number.
 */
export const messageType = {
  /** Bytes of the pipe. */
  data: 1,
  /** The end of the pipe, after all bytes. */
  end: 2,
  /** A heartbeat. */
  beat: 3,
  /** A message is missing: everything from the expected number on must be resent. */
  gap: 4,
  /** The pipe is closed; nothing more is read. */
  closed: 5,
} as const;

export const messageHeadBytes = 9;

export interface PipeMessage {
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

/** @returns undefined if the bytes are not a message */
export function readMessage(data: Uint8Array): PipeMessage | undefined {
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
